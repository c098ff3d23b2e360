/* Shared by the programs and libraries of the stand-in; see README.md. */
#ifndef STANDIN_H
#define STANDIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#ifndef STANDIN_VERSION
#error "compile with -DSTANDIN_VERSION=\"X.Y.Z\""
#endif

#define EXPORT __attribute__((visibility("default")))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Exit codes of cvmfs2 (CVMFS client, loader.h). */
enum failure {
  FAIL_OK = 0,
  FAIL_OPTIONS = 2,
  FAIL_PERMISSION = 3,
  FAIL_MOUNT = 4,
  FAIL_LOADER_TALK = 5,
  FAIL_FUSE_LOOP = 6,
  FAIL_LOAD_LIBRARY = 7,
  FAIL_CACHE = 9,
  FAIL_QUOTA = 12,
  FAIL_MONITOR = 13,
  FAIL_SIGNATURE = 15,
  FAIL_CATALOG = 16,
  FAIL_OTHER_MOUNT = 20,
  FAIL_DOUBLE_MOUNT = 21,
  FAIL_WPAD = 23,
  FAIL_LOCK_WORKSPACE = 24,
};

/* ---- libcvmfs_util: messages (log.c) ---- */

/* Where a message goes; a combination. */
enum { TO_STDOUT = 1, TO_STDERR = 2, TO_SYSLOG = 4, NO_NEWLINE = 8 };

EXPORT void log_msg(int where, const char *format, ...) PRINTF(2, 3);
EXPORT void log_set_prefix(const char *prefix);
/* Opens the file that replaces syslog; aborts the process when that is impossible.
 * An empty path closes it. */
EXPORT void log_set_usyslog(const char *path);
/* The file of debug messages, written by debug libraries only. */
EXPORT void log_set_debug(const char *path);
EXPORT void log_debug(const char *module, const char *format, ...) PRINTF(2, 3);
EXPORT const char *failure_text(int code);

/* ---- libcvmfs_util: parameters (options.c) ---- */

/* Reads files of KEY=VALUE lines, separated by ':'; absent ones are skipped. */
EXPORT void options_parse(const char *files, const char *fqrn);
/* NULL when it is not set. */
EXPORT const char *option(const char *key);
EXPORT bool option_on(const char *key, bool otherwise);
/* All parameters, sorted, one KEY=VALUE in a line; to be freed. */
EXPORT char *options_dump(void);

/* ---- libcvmfs_util: files (path.c) ---- */

EXPORT char *format(const char *format, ...) PRINTF(1, 2);
EXPORT bool mkdir_deep(const char *path, mode_t mode);
/* A listening Unix socket; paths of any length. -1 on failure. */
EXPORT int make_socket(const char *path, mode_t mode);
/* Opens (mode 0600) and locks a file; -1 with EWOULDBLOCK when it is taken and wait is
 * false. */
EXPORT int lock_file(const char *path, bool wait);
/* Closes every descriptor from 3 on but those two. */
EXPORT void close_all_but(int a, int b);
/* Forks twice, with a new session and /dev/null as the standard descriptors. The
 * parent exits. */
EXPORT void daemonize(void);

/* ---- between libcvmfs_fuse3_stub and libcvmfs_fuse3 ---- */

struct loader {
  const char *program;    /* argv[0]: executed again for the cache manager */
  const char *fqrn;
  const char *mountpoint; /* /dev/fd/N when the caller has mounted */
  const char *config;     /* the files, separated by ':' */
  bool foreground;
  bool no_watchdog;
};

struct fuse_lowlevel_ops;

struct module {
  const char *version;
  const struct fuse_lowlevel_ops *ops;
  size_t ops_size;
  int (*init)(const struct loader *l); /* an enum failure */
  const char *(*error)(void);          /* why init failed */
  void (*spawn)(void);                 /* after the mount: threads and processes */
  void (*fini)(void);
  int (*alternative)(int argc, char **argv); /* argv[1] begins with two underscores */
};

#define MODULE_SYMBOL "g_standin_module"
#define STUB_SYMBOL "standin_fuse_main"

#endif
