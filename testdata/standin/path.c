/* Files, sockets, locks, processes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "standin.h"

char *format(const char *fmt, ...) {
  char *out;
  va_list args;
  va_start(args, fmt);
  if (vasprintf(&out, fmt, args) < 0)
    abort();
  va_end(args);
  return out;
}

static bool is_dir(const char *path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool mkdir_deep(const char *path, mode_t mode) {
  char *copy = strdup(path);
  for (char *p = copy + 1; *p; p++) {
    if (*p != '/')
      continue;
    *p = '\0';
    mkdir(copy, mode);
    *p = '/';
  }
  mkdir(copy, mode);
  free(copy);
  return is_dir(path) && access(path, W_OK | X_OK) == 0;
}

/* A socket's address holds some 100 bytes; a longer path is reached by way of a link
 * in /tmp, which is there only for this moment. */
int make_socket(const char *path, mode_t mode) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  char dir[] = "/tmp/cvmfs.XXXXXX", *link = NULL, *shorter = NULL;
  const char *name = path;
  if (strlen(path) >= sizeof addr.sun_path) {
    const char *base = strrchr(path, '/');
    if (base == NULL || mkdtemp(dir) == NULL)
      return -1;
    link = format("%s/l", dir);
    char *parent = strndup(path, (size_t)(base - path));
    int failed = symlink(parent, link);
    free(parent);
    shorter = format("%s%s", link, base);
    name = failed ? "" : shorter;
  }
  int fd = -1;
  if (*name && strlen(name) < sizeof addr.sun_path) {
    strcpy(addr.sun_path, name);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(name);
    if (fd >= 0 && (fchmod(fd, mode) != 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0 || chmod(name, mode) != 0 || listen(fd, 1) != 0)) {
      close(fd);
      fd = -1;
    }
  }
  if (link != NULL) {
    unlink(link);
    rmdir(dir);
  }
  free(link);
  free(shorter);
  return fd;
}

int lock_file(const char *path, bool wait) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return -1;
  while (flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) != 0) {
    if (errno == EINTR)
      continue;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}

void close_all_but(int a, int b) {
  DIR *dir = opendir("/proc/self/fd");
  if (dir == NULL)
    return;
  int fds[1024], n = 0;
  struct dirent *e;
  while ((e = readdir(dir)) != NULL && n < 1024) {
    int fd = atoi(e->d_name);
    if (fd > 2 && fd != a && fd != b && fd != dirfd(dir))
      fds[n++] = fd;
  }
  closedir(dir);
  while (n > 0)
    close(fds[--n]);
}

void daemonize(void) {
  pid_t pid = fork();
  if (pid < 0)
    abort();
  if (pid > 0) {
    int status;
    waitpid(pid, &status, 0);
    _exit(0);
  }
  setsid();
  pid = fork();
  if (pid != 0)
    _exit(pid < 0);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2 && null >= 0; fd++)
    dup2(null, fd);
  if (null > 2)
    close(null);
}
