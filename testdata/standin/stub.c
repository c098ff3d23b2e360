/* libcvmfs_fuse3_stub: the starter of the client (CVMFS client, loader.cc). It reads
 * the command line and the parameters, loads libcvmfs_fuse3, mounts and runs the event
 * loop. */
#define FUSE_USE_VERSION 32
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fuse_lowlevel.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "standin.h"

enum { MAX_FQRN = 60 };

static struct {
  struct loader loader;
  char *fuse_options; /* passed on to libfuse */
  bool debug, simple, parse_only, single_threaded, system_mount;
  int fd;       /* of /dev/fd/N, -1 without */
  char *socket; /* path of the loader socket */
} g = {.fuse_options = NULL, .fd = -1};

static void usage(const char *program) {
  printf("Usage: %s [-o OPTIONS] REPOSITORY MOUNTPOINT [-f]\n", program);
}

static void add_fuse_option(const char *o) {
  char *next = g.fuse_options ? format("%s,%s", g.fuse_options, o) : strdup(o);
  free(g.fuse_options);
  g.fuse_options = next;
}

/* One word of -o. */
static void mount_option(const char *o) {
  static const char *const dropped[] = {"_netdev", "user", "nouser", "users", "auto", "noauto", "libfuse=3", "grab_mountpoint", "cvmfs_suid"};
  if (strncmp(o, "config=", 7) == 0)
    g.loader.config = strdup(o + 7);
  else if (strcmp(o, "debug") == 0)
    g.debug = true;
  else if (strcmp(o, "simple_options_parsing") == 0)
    g.simple = true;
  else if (strcmp(o, "foreground") == 0)
    g.loader.foreground = true;
  else if (strcmp(o, "disable_watchdog") == 0)
    g.loader.no_watchdog = true;
  else if (strcmp(o, "parse") == 0)
    g.parse_only = true;
  else if (strcmp(o, "system_mount") == 0)
    g.system_mount = true;
  else {
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) {
      if (strcmp(o, dropped[i]) == 0)
        return;
    }
    add_fuse_option(o);
  }
}

static void mount_options(char *list) {
  char *o;
  while ((o = strsep(&list, ",")) != NULL) {
    if (*o)
      mount_option(o);
  }
}

static bool valid_fqrn(const char *s) {
  if (*s == '\0' || strlen(s) > MAX_FQRN)
    return false;
  for (; *s; s++) {
    if (!isalnum((unsigned char)*s) && strchr("-_.", *s) == NULL)
      return false;
  }
  return true;
}

/* Options may stand between and behind the operands. Returns -1 to go on, else the
 * exit code. */
static int command_line(int argc, char **argv) {
  int opt;
  while ((opt = getopt(argc, argv, "o:fdskhV")) != -1) {
    switch (opt) {
    case 'o': mount_options(strdup(optarg)); break;
    case 'f': g.loader.foreground = true; break;
    case 'd': g.debug = true; break;
    case 's': g.single_threaded = true; break;
    case 'k': g.parse_only = true; break;
    case 'h': usage(argv[0]); return FAIL_OK;
    case 'V': printf("CernVM-FS version %s\n", STANDIN_VERSION); return FAIL_OK;
    default: usage(argv[0]); return FAIL_OPTIONS;
    }
  }
  if (argc - optind != 2 || !valid_fqrn(argv[optind])) {
    usage(argv[0]);
    return FAIL_OPTIONS;
  }
  g.loader.program = argv[0];
  g.loader.fqrn = argv[optind];
  g.loader.mountpoint = argv[optind + 1];
  char rest;
  if (sscanf(g.loader.mountpoint, "/dev/fd/%d%c", &g.fd, &rest) == 1)
    log_msg(TO_STDOUT, "CernVM-FS: pre-mounted on file descriptor %d", g.fd);
  else
    g.fd = -1;
  if (g.loader.config == NULL || !g.simple) {
    log_msg(TO_STDERR, "the stand-in takes its parameters from -o config=FILE,simple_options_parsing alone");
    return FAIL_OPTIONS;
  }
  return -1;
}

/* The limit of open files. */
static int set_nfiles(void) {
  const char *value = option("CVMFS_NFILES");
  struct rlimit limit;
  if (value == NULL)
    return FAIL_OK;
  limit.rlim_cur = limit.rlim_max = strtoul(value, NULL, 10);
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
    return FAIL_OK;
  if (g.system_mount) {
    log_msg(TO_STDERR | TO_SYSLOG, "Failed to set maximum number of open files, insufficient permissions");
    return FAIL_PERMISSION;
  }
  getrlimit(RLIMIT_NOFILE, &limit);
  log_msg(TO_STDOUT | TO_SYSLOG, "Failed to set requested number of open files, using maximum number %lu", (unsigned long)limit.rlim_max);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return FAIL_OK;
}

static int loader_socket(void) {
  const char *dir = option("CVMFS_RELOAD_SOCKETS");
  g.socket = format("%s/cvmfs.%s", dir ? dir : "/var/run/cvmfs", g.loader.fqrn);
  if (make_socket(g.socket, 0600) < 0) {
    log_msg(TO_STDERR | TO_SYSLOG, "Failed to initialize loader socket");
    return FAIL_LOADER_TALK;
  }
  return FAIL_OK;
}

static const struct module *load_module(bool debug) {
  char *name = format("libcvmfs_fuse3%s.so.%s", debug ? "_debug" : "", STANDIN_VERSION);
  const char *dir = getenv("CVMFS_LIBRARY_PATH");
  void *library = NULL;
  if (dir != NULL && *dir) {
    char *path = format("%s/%s", dir, name);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    free(path);
  }
  if (library == NULL)
    library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  const struct module *m = library ? dlsym(library, MODULE_SYMBOL) : NULL;
  if (m == NULL)
    log_msg(TO_STDERR | TO_SYSLOG, "failed to load cvmfs library %s: %s", name, dlerror());
  free(name);
  return m;
}

/* Mounts, or takes the caller's mount, and serves it to its end. */
static int serve(const struct module *m) {
  char *mount_args[] = {"cvmfs2", "-o", g.fuse_options, NULL};
  struct fuse_args args = {.argc = 3, .argv = mount_args};
  struct fuse_session *session = fuse_session_new(&args, m->ops, m->ops_size, NULL);
  if (session == NULL) {
    log_msg(TO_STDERR | TO_SYSLOG, "failed to create Fuse session");
    return FAIL_MOUNT;
  }
  if (fuse_session_mount(session, g.loader.mountpoint) != 0) {
    log_msg(TO_STDERR | TO_SYSLOG, "failed to mount file system");
    fuse_session_destroy(session);
    return FAIL_MOUNT;
  }
  if (g.fd < 0)
    log_msg(TO_STDOUT, "CernVM-FS: mounted cvmfs on %s", g.loader.mountpoint);
  log_msg(TO_SYSLOG, "CernVM-FS: linking %s to repository %s", g.loader.mountpoint, g.loader.fqrn);
  if (!g.loader.foreground)
    daemonize();
  m->spawn();
  fuse_set_signal_handlers(session);
  int failed;
  if (g.single_threaded) {
    failed = fuse_session_loop(session);
  } else {
    struct fuse_loop_config config = {.clone_fd = 0, .max_idle_threads = 10};
    failed = fuse_session_loop_mt(session, &config);
  }
  m->fini();
  fuse_remove_signal_handlers(session);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  unlink(g.socket);
  log_msg(TO_SYSLOG, "CernVM-FS: unmounted %s (%s)", g.loader.mountpoint, g.loader.fqrn);
  return failed < 0 ? FAIL_FUSE_LOOP : FAIL_OK; /* positive: ended by a signal */
}

static int start(void) {
  add_fuse_option("ro,nodev");
  if (option_on("CVMFS_CHECK_PERMISSIONS", false))
    add_fuse_option("default_permissions");
  struct stat st;
  if (g.fd < 0 && (stat(g.loader.mountpoint, &st) != 0 || !S_ISDIR(st.st_mode))) {
    log_msg(TO_STDERR | TO_SYSLOG, "Mount point %s does not exist", g.loader.mountpoint);
    return FAIL_PERMISSION;
  }
  int code = set_nfiles();
  if (code != FAIL_OK)
    return code;
  log_set_usyslog(option("CVMFS_USYSLOG"));
  if (g.single_threaded)
    log_msg(TO_STDOUT, "CernVM-FS: running in single threaded mode");
  if (g.debug)
    log_msg(TO_STDOUT | TO_SYSLOG, "CernVM-FS: running in debug mode");
  if ((code = loader_socket()) != FAIL_OK)
    return code;
  log_msg(TO_STDOUT | NO_NEWLINE, "CernVM-FS: loading Fuse module... ");
  const struct module *m = load_module(g.debug);
  if (m == NULL)
    return FAIL_LOAD_LIBRARY;
  code = m->init(&g.loader);
  if (code == FAIL_DOUBLE_MOUNT) {
    log_msg(TO_STDERR, "\nCernVM-FS: repository %s already mounted on %s", g.loader.fqrn, g.loader.mountpoint);
    return FAIL_OK;
  }
  if (code != FAIL_OK) {
    log_msg(TO_STDERR | TO_SYSLOG, "%s (%d - %s)", m->error(), code, failure_text(code));
    return code;
  }
  log_msg(TO_STDOUT, "done");
  return serve(m);
}

EXPORT int standin_fuse_main(int argc, char **argv);

int standin_fuse_main(int argc, char **argv) {
  sigset_t usr1;
  umask(007);
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  sigprocmask(SIG_BLOCK, &usr1, NULL);
  if (argc > 1 && strncmp(argv[1], "__", 2) == 0) {
    const struct module *m = load_module(false);
    return m ? m->alternative(argc, argv) : FAIL_LOAD_LIBRARY;
  }
  int code = command_line(argc, argv);
  if (code >= 0)
    return code;
  options_parse(g.loader.config, g.loader.fqrn);
  log_set_prefix(option("CVMFS_SYSLOG_PREFIX") ? option("CVMFS_SYSLOG_PREFIX") : g.loader.fqrn);
  if (g.parse_only) {
    log_msg(TO_STDOUT | NO_NEWLINE, "# CernVM-FS parameters:\n%s", options_dump());
    return FAIL_OK;
  }
  return start();
}
