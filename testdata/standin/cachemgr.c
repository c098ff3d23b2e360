/* The manager of a shared cache (CVMFS client, quota_posix.cc): the first client that
 * uses the cache executes its own program again, by the name in argv[0] and detached by
 * a double fork. All clients keep its FIFO open; it ends when the last one is gone. */
#include "module.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Starts the manager and waits until it has opened the FIFO. */
static bool start(const char *program, long limit) {
  int boot[2];
  char ready;
  if (pipe(boot) != 0)
    return false;
  pid_t pid = fork();
  if (pid == 0) {
    if (fork() != 0)
      _exit(0);
    close_all_but(boot[1], -1);
    char *fd = format("%d", boot[1]), *max = format("%ld", limit);
    char *argv[] = {(char *)program, "__cachemgr__", ".", fd, max, NULL};
    execvp(program, argv);
    _exit(1);
  }
  close(boot[1]);
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
  ssize_t n = read(boot[0], &ready, 1);
  close(boot[0]);
  return n == 1;
}

bool cachemgr_connect(const char *program, long limit) {
  int lock = lock_file("lock_cachemgr", true);
  if (lock < 0)
    return false;
  int fifo = open("cachemgr", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  if (fifo < 0) {
    unlink("cachemgr"); /* nobody reads it: left over */
    if (mkfifo("cachemgr", 0600) == 0 && start(program, limit))
      fifo = open("cachemgr", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
  }
  close(lock);
  return fifo >= 0; /* kept open for as long as this process lives */
}

/* Reads what clients send until all of them have closed the FIFO. */
static void manage(int fifo) {
  char buf[4096];
  for (;;) {
    struct pollfd p = {.fd = fifo, .events = POLLIN};
    if (poll(&p, 1, -1) < 0)
      continue;
    if (p.revents & POLLIN && read(fifo, buf, sizeof buf) > 0)
      continue;
    if (!(p.revents & POLLHUP))
      continue;
    /* a client may be about to connect: it holds the lock then */
    int lock = lock_file("lock_cachemgr", true);
    p.revents = 0;
    if (poll(&p, 1, 0) == 1 && p.revents & POLLHUP) {
      unlink("cachemgr");
      unlink("cachemgr.running");
      return;
    }
    close(lock);
  }
}

int cachemgr_main(int argc, char **argv) {
  if (argc < 5 || chdir(argv[2]) != 0)
    return 1;
  for (int sig = 1; sig <= SIGTERM; sig++) {
    if (sig != SIGKILL)
      signal(sig, SIG_IGN);
  }
  int boot = atoi(argv[3]), fifo = open("cachemgr", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  /* The FIFO shows no hang-up before the first client has opened it. */
  int running = open("cachemgr.running", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fifo < 0 || running < 0)
    return 1;
  close(running);
  if (write(boot, "C", 1) != 1)
    return 1;
  close(boot);
  manage(fifo);
  return 0;
}
