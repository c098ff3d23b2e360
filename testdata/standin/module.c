/* libcvmfs_fuse3: the client proper (CVMFS client, mountpoint.cc and cvmfs.cc). What it
 * needs of its surroundings is as upstream needs it; the tree it serves is made up. */
#include "module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const struct loader *loader;
static char *boot_error;

static int fail(int code, char *text) {
  boot_error = text;
  return code;
}

static const char *error(void) { return boot_error ? boot_error : ""; }

/* One client at a time has a repository in a workspace. A second one asks what its own
 * mount point shows; when that says nothing, it waits. */
static int lock_workspace(void) {
  char *path = format("lock.%s", loader->fqrn), fqrn[256];
  int fd = lock_file(path, false);
  if (fd < 0 && errno == EWOULDBLOCK) {
    ssize_t n = getxattr(loader->mountpoint, "user.fqrn", fqrn, sizeof fqrn - 1);
    if (n >= 0) {
      fqrn[n] = '\0';
      bool same = strcmp(fqrn, loader->fqrn) == 0;
      free(path);
      return same ? FAIL_DOUBLE_MOUNT : fail(FAIL_OTHER_MOUNT, format("repository %s is mounted there", fqrn));
    }
    log_msg(TO_SYSLOG, "another client holds %s, waiting", path);
    fd = lock_file(path, true);
  }
  free(path);
  return fd < 0 ? fail(FAIL_LOCK_WORKSPACE, strdup("could not acquire workspace lock")) : FAIL_OK;
}

static bool make_cache_dirs(void) {
  struct stat st;
  if (stat("ff", &st) == 0 && stat("txn", &st) == 0)
    return access("txn", W_OK | X_OK) == 0;
  char name[16];
  for (int i = 0; i <= 0xff; i++) {
    snprintf(name, sizeof name, "%02x", i);
    if (mkdir(name, 0700) != 0 && errno != EEXIST)
      return false;
  }
  return (mkdir("quarantaine", 0700) == 0 || errno == EEXIST) && (mkdir("txn", 0700) == 0 || errno == EEXIST);
}

/* The workspace, which is the cache directory too: the process stays in it. */
static int make_cache(void) {
  const char *dir = option("CVMFS_CACHE_DIR"), *base = option("CVMFS_CACHE_BASE");
  bool shared = option_on("CVMFS_SHARED_CACHE", false);
  if (dir != NULL && base != NULL)
    return fail(FAIL_OPTIONS, strdup("'CVMFS_CACHE_BASE' and 'CVMFS_CACHE_DIR' are mutually exclusive"));
  char *workspace = dir ? strdup(dir) : format("%s/%s", base ? base : "/var/lib/cvmfs", shared ? "shared" : loader->fqrn);
  if (!mkdir_deep(workspace, 0770) || chdir(workspace) != 0)
    return fail(FAIL_CACHE, format("cannot create workspace directory %s", workspace));
  int code = lock_workspace();
  if (code != FAIL_OK)
    return code;
  if (!make_cache_dirs())
    return fail(FAIL_CACHE, format("Failed to create cache directory %s", workspace));
  char *guard = format("running.%s", loader->fqrn);
  int fd = open(guard, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0)
    return fail(FAIL_CACHE, format("could not open running sentinel (%d)", errno));
  close(fd);
  free(guard);
  const char *quota = option("CVMFS_QUOTA_LIMIT");
  long limit = quota ? strtol(quota, NULL, 10) : 1024;
  if (shared && limit > 0 && !cachemgr_connect(loader->program, limit))
    return fail(FAIL_QUOTA, strdup("Failed to initialize shared lru cache"));
  free(workspace);
  return FAIL_OK;
}

static bool is_key(const char *path) {
  char text[4096];
  FILE *f = fopen(path, "re");
  if (f == NULL)
    return false;
  size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = '\0';
  return strstr(text, "-----BEGIN PUBLIC KEY-----") != NULL;
}

/* The master keys: files of CVMFS_PUBLIC_KEY, else all of CVMFS_KEYS_DIR. */
static bool load_keys(void) {
  const char *list = option("CVMFS_PUBLIC_KEY"), *dir = option("CVMFS_KEYS_DIR");
  if (list != NULL) {
    char *copy = strdup(list), *rest = copy, *path;
    bool ok = true;
    while (ok && (path = strsep(&rest, ":")) != NULL)
      ok = is_key(path);
    free(copy);
    return ok;
  }
  DIR *d = opendir(dir ? dir : "/etc/cvmfs/keys");
  struct dirent *e;
  int keys = 0;
  bool ok = true;
  while (ok && d != NULL && (e = readdir(d)) != NULL) {
    const char *suffix = strrchr(e->d_name, '.');
    if (suffix == NULL || strcmp(suffix, ".pub") != 0)
      continue;
    char *path = format("%s/%s", dir ? dir : "/etc/cvmfs/keys", e->d_name);
    ok = is_key(path);
    keys++;
    free(path);
  }
  if (d != NULL)
    closedir(d);
  return ok && keys > 0;
}

static int init(const struct loader *l) {
  loader = l;
  options_parse(l->config, l->fqrn); /* a second time, as upstream */
#ifdef DEBUGMSG
  if (option("CVMFS_DEBUGLOG") != NULL)
    log_set_debug(option("CVMFS_DEBUGLOG"));
#endif
  log_debug("cvmfs", "starting %s", l->fqrn);
  int code = make_cache();
  if (code != FAIL_OK)
    return code;
  if (!load_keys())
    return fail(FAIL_SIGNATURE, strdup("failed to load public key(s)"));
  const char *proxy = option("CVMFS_HTTP_PROXY"), *server = option("CVMFS_SERVER_URL");
  if (proxy == NULL || proxy[strspn(proxy, " ;|")] == '\0')
    return fail(FAIL_WPAD, strdup("failed to discover HTTP proxy servers"));
  if (server == NULL || *server == '\0')
    return fail(FAIL_CATALOG, strdup("Failed to initialize root file catalog"));
  tree_make(l->fqrn);
  operations_init(l);
  return FAIL_OK;
}

static void spawn(void) {
  if (!loader->no_watchdog && !watchdog_spawn()) {
    log_msg(TO_STDERR | TO_SYSLOG, "failed to initialize watchdog.");
    _exit(FAIL_MONITOR);
  }
}

static void fini(void) {
  watchdog_stop();
  char *guard = format("running.%s", loader->fqrn);
  unlink(guard);
  free(guard);
}

static int alternative(int argc, char **argv) { return strcmp(argv[1], "__cachemgr__") == 0 ? cachemgr_main(argc, argv) : 1; }

EXPORT struct module g_standin_module = {
    .version = STANDIN_VERSION,
    .ops = &operations,
    .ops_size = sizeof operations,
    .init = init,
    .error = error,
    .spawn = spawn,
    .fini = fini,
    .alternative = alternative,
};
