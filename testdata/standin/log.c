/* Messages: standard output and error, and the system log or the file that replaces
 * it (CVMFS client, util/logging.cc). */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "standin.h"

enum { MAX_USYSLOG = 500 * 1024 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *prefix, *usyslog_path;
static int usyslog_fd = -1, debug_fd = -1;

static int open_usyslog(void) {
  int fd = open(usyslog_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    fprintf(stderr, "could not open usyslog file %s (%d), aborting\n", usyslog_path, errno);
    abort();
  }
  return fd;
}

void log_set_usyslog(const char *path) {
  if (usyslog_fd >= 0)
    close(usyslog_fd);
  usyslog_fd = -1;
  free(usyslog_path);
  usyslog_path = NULL;
  if (path != NULL && *path) {
    usyslog_path = strdup(path);
    usyslog_fd = open_usyslog();
  }
}

void log_set_prefix(const char *p) {
  free(prefix);
  prefix = strdup(p);
}

static void write_all(int fd, const char *text) {
  for (size_t left = strlen(text); left > 0;) {
    ssize_t n = write(fd, text, left);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return;
    text += n;
    left -= (size_t)n;
  }
}

static void usyslog(const char *text) {
  char stamp[32];
  time_t now = time(NULL);
  struct stat st;
  ctime_r(&now, stamp);
  stamp[24] = '\0';
  char *line = format("%s (%s) %s\n", stamp, prefix ? prefix : "", text);
  pthread_mutex_lock(&lock);
  write_all(usyslog_fd, line);
  fsync(usyslog_fd);
  if (fstat(usyslog_fd, &st) == 0 && st.st_size >= MAX_USYSLOG) {
    char *old = format("%s.1", usyslog_path);
    rename(usyslog_path, old);
    free(old);
    close(usyslog_fd);
    usyslog_fd = open_usyslog();
  }
  pthread_mutex_unlock(&lock);
  free(line);
}

void log_msg(int where, const char *fmt, ...) {
  char *text;
  va_list args;
  va_start(args, fmt);
  if (vasprintf(&text, fmt, args) < 0)
    abort();
  va_end(args);
  const char *end = where & NO_NEWLINE ? "" : "\n";
  if (where & TO_STDOUT) {
    printf("%s%s", text, end);
    fflush(stdout);
  }
  if (where & TO_STDERR)
    fprintf(stderr, "%s%s", text, end);
  if (where & TO_SYSLOG) {
    if (usyslog_fd >= 0)
      usyslog(text);
    else
      syslog(LOG_NOTICE, "(%s) %s", prefix ? prefix : "", text);
  }
  free(text);
}

void log_set_debug(const char *path) {
  debug_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
}

void log_debug(const char *module, const char *fmt, ...) {
  if (debug_fd < 0)
    return;
  char *text, stamp[64];
  time_t now = time(NULL);
  struct tm tm;
  va_list args;
  va_start(args, fmt);
  if (vasprintf(&text, fmt, args) < 0)
    abort();
  va_end(args);
  localtime_r(&now, &tm);
  strftime(stamp, sizeof stamp, "%m-%d-%Y %H:%M:%S %Z", &tm);
  char *line = format("(%s) %s    [%s]\n", module, text, stamp);
  write_all(debug_fd, line);
  free(line);
  free(text);
}

const char *failure_text(int code) {
  switch (code) {
  case FAIL_OK: return "OK";
  case FAIL_OPTIONS: return "illegal options";
  case FAIL_PERMISSION: return "permission denied";
  case FAIL_MOUNT: return "failed to mount";
  case FAIL_LOADER_TALK: return "unable to init loader talk socket";
  case FAIL_FUSE_LOOP: return "cannot run FUSE event loop";
  case FAIL_LOAD_LIBRARY: return "failed to load shared library";
  case FAIL_CACHE: return "cache directory/plugin problem";
  case FAIL_QUOTA: return "quota init failure";
  case FAIL_MONITOR: return "watchdog failure";
  case FAIL_SIGNATURE: return "signature verification failure";
  case FAIL_CATALOG: return "file catalog failure";
  case FAIL_OTHER_MOUNT: return "already mounted";
  case FAIL_DOUBLE_MOUNT: return "double mount";
  case FAIL_WPAD: return "proxy auto-discovery failed";
  case FAIL_LOCK_WORKSPACE: return "workspace already locked";
  }
  return "unknown error";
}
