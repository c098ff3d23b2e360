/* The program cvmfs2. It is linked to libcvmfs_util alone and loads the rest: the stub
 * library, from CVMFS_LIBRARY_PATH or by the loader's own search. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "standin.h"

/* -o libfuse=2 asks for libraries that the stand-in does not have. */
static bool wants_libfuse2(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    if (strstr(argv[i], "libfuse=2") != NULL)
      return true;
  }
  return false;
}

int main(int argc, char **argv) {
  const char *name = wants_libfuse2(argc, argv) ? "libcvmfs_fuse_stub.so." STANDIN_VERSION : "libcvmfs_fuse3_stub.so." STANDIN_VERSION;
  const char *dir = getenv("CVMFS_LIBRARY_PATH");
  void *library = NULL;
  if (dir != NULL && *dir) {
    char *path = format("%s/%s", dir, name);
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    free(path);
  }
  if (library == NULL)
    library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    log_msg(TO_STDERR | TO_SYSLOG, "failed to load cvmfs loader library %s: %s", name, dlerror());
    return FAIL_LOAD_LIBRARY;
  }
  int (*fuse_main)(int, char **) = (int (*)(int, char **))dlsym(library, STUB_SYMBOL);
  if (fuse_main == NULL) {
    log_msg(TO_STDERR | TO_SYSLOG, "%s is not a cvmfs loader library", name);
    return FAIL_LOAD_LIBRARY;
  }
  return fuse_main(argc, argv);
}
