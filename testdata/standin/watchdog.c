/* The watchdog (CVMFS client, monitor.cc): a process with a session of its own that
 * waits on a pipe for the client's end. It also watches the other way: a client whose
 * watchdog is gone aborts. */
#include "module.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int to_watchdog = -1;
static volatile bool stopping;

/* The watchdog's life. Q announces an orderly end; without it the client has crashed,
 * and upstream's gives the kernel time before it looks at the mount. */
static void supervise(int from_client) {
  char c = 0;
  ssize_t n;
  signal(SIGPIPE, SIG_IGN);
  while ((n = read(from_client, &c, 1)) < 0 && errno == EINTR)
    ;
  if (n == 1 && c == 'Q')
    return;
  log_set_usyslog(option("CVMFS_USYSLOG"));
  log_msg(TO_SYSLOG, "watchdog: unexpected termination of the client");
  sleep(2);
}

static void *listen_to_watchdog(void *arg) {
  struct pollfd p = {.fd = (int)(long)arg, .events = 0};
  while (poll(&p, 1, -1) < 0)
    ;
  if (!stopping) {
    log_msg(TO_SYSLOG, "watchdog disappeared, aborting");
    abort();
  }
  return NULL;
}

bool watchdog_spawn(void) {
  int down[2], up[2], status;
  if (pipe(down) != 0 || pipe(up) != 0)
    return false;
  pid_t pid = fork();
  if (pid < 0)
    return false;
  if (pid == 0) {
    if (fork() != 0)
      _exit(0);
    daemonize();
    close_all_but(down[0], up[1]);
    supervise(down[0]);
    _exit(0);
  }
  close(down[0]);
  close(up[1]);
  to_watchdog = down[1];
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  pthread_t thread;
  return pthread_create(&thread, NULL, listen_to_watchdog, (void *)(long)up[0]) == 0 && pthread_detach(thread) == 0;
}

void watchdog_stop(void) {
  stopping = true;
  if (to_watchdog >= 0 && write(to_watchdog, "Q", 1) == 1)
    close(to_watchdog);
}
