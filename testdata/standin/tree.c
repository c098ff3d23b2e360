/* The tree that is served: what tests look for, and the content of the directory
 * CVMFS_STANDIN_ROOT/FQRN when there is one. */
#include "module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MANY = 100, BIG = 1 << 20 };

static struct node *nodes;
static size_t count;

const struct node *tree_node(fuse_ino_t ino) { return ino >= 1 && ino <= count ? &nodes[ino - 1] : NULL; }

fuse_ino_t tree_count(void) { return count; }

fuse_ino_t tree_lookup(fuse_ino_t parent, const char *name) {
  for (size_t i = 1; i < count; i++) {
    if (nodes[i].parent == parent && strcmp(nodes[i].name, name) == 0)
      return i + 1;
  }
  return 0;
}

/* Adds a node; data is taken over. One that is there already stays. */
static fuse_ino_t add(fuse_ino_t parent, const char *name, mode_t mode, enum kind kind, char *data, size_t size) {
  fuse_ino_t old = count ? tree_lookup(parent, name) : 0;
  if (old != 0) {
    free(data);
    return old;
  }
  nodes = realloc(nodes, (count + 1) * sizeof *nodes);
  nodes[count++] = (struct node){parent, strdup(name), mode, kind, data, size};
  return count;
}

static void add_text(fuse_ino_t parent, const char *name, mode_t mode, char *text) { add(parent, name, S_IFREG | mode, FIXED, text, strlen(text)); }

static void add_proc(const char *name, const char *path) { add(FUSE_ROOT_ID, name, S_IFREG | 0444, PROC, strdup(path), 0); }

static void add_link(fuse_ino_t parent, const char *name, char *target) { add(parent, name, S_IFLNK | 0777, FIXED, target, strlen(target)); }

/* Adds what is in a directory of the host. */
static void add_disk(fuse_ino_t parent, const char *dir) {
  DIR *d = opendir(dir);
  if (d == NULL)
    return;
  struct dirent *e;
  while ((e = readdir(d)) != NULL) {
    struct stat st;
    char target[4096];
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
      continue;
    char *path = format("%s/%s", dir, e->d_name);
    ssize_t n;
    if (lstat(path, &st) != 0)
      ;
    else if (S_ISDIR(st.st_mode))
      add_disk(add(parent, e->d_name, S_IFDIR | 0755, FIXED, NULL, 0), path);
    else if (S_ISREG(st.st_mode))
      add(parent, e->d_name, st.st_mode & ~0222u, ON_DISK, strdup(path), (size_t)st.st_size);
    else if (S_ISLNK(st.st_mode) && (n = readlink(path, target, sizeof target)) > 0)
      add_link(parent, e->d_name, strndup(target, (size_t)n));
    free(path);
  }
  closedir(d);
}

void tree_make(const char *fqrn) {
  add(0, "", S_IFDIR | 0755, FIXED, NULL, 0);
  if (option("CVMFS_STANDIN_ROOT") != NULL) {
    char *dir = format("%s/%s", option("CVMFS_STANDIN_ROOT"), fqrn);
    add_disk(FUSE_ROOT_ID, dir);
    free(dir);
  }
  char cwd[4096];
  add_text(FUSE_ROOT_ID, "README", 0444, format("This is %s, served by a stand-in for the CVMFS client.\n", fqrn));
  add_text(FUSE_ROOT_ID, "parameters", 0444, options_dump());
  add_text(FUSE_ROOT_ID, "cwd", 0444, format("%s\n", getcwd(cwd, sizeof cwd) ? cwd : "?"));
  add_text(FUSE_ROOT_ID, "hello", 0555, format("#!/bin/sh\necho \"hello from %s\"\n", fqrn));
  add_proc("maps", "/proc/self/maps");
  add_proc("environ", "/proc/self/environ");
  add_proc("cmdline", "/proc/self/cmdline");
  add_proc("status", "/proc/self/status");
  add(FUSE_ROOT_ID, "descriptors", S_IFREG | 0444, DESCRIPTORS, NULL, 0);
  add_link(FUSE_ROOT_ID, "link", strdup("README"));
  fuse_ino_t many = add(FUSE_ROOT_ID, "many", S_IFDIR | 0755, FIXED, NULL, 0);
  for (int i = 0; i < MANY; i++) {
    char *name = format("file%03d", i);
    add_text(many, name, 0444, format("%s\n", name));
    free(name);
  }
  char *big = malloc(BIG);
  for (unsigned i = 0; i < BIG; i++)
    big[i] = (char)(i ^ i >> 8 ^ i >> 16);
  add(FUSE_ROOT_ID, "big", S_IFREG | 0444, FIXED, big, BIG);
}

static char *read_file(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return NULL;
  char *out = malloc(65536);
  size_t room = 65536;
  *size = 0;
  for (;;) {
    ssize_t n = read(fd, out + *size, room - *size);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    *size += (size_t)n;
    if (*size == room)
      out = realloc(out, room *= 2);
  }
  close(fd);
  return out;
}

/* Our own open descriptors, one "NUMBER TARGET" in a line. */
static char *descriptors(void) {
  char *out = strdup(""), target[4096];
  DIR *d = opendir("/proc/self/fd");
  struct dirent *e;
  while (d != NULL && (e = readdir(d)) != NULL) {
    char *path = format("/proc/self/fd/%s", e->d_name);
    ssize_t n = readlink(path, target, sizeof target);
    free(path);
    if (n < 0 || atoi(e->d_name) == dirfd(d))
      continue;
    char *next = format("%s%s %.*s\n", out, e->d_name, (int)n, target);
    free(out);
    out = next;
  }
  if (d != NULL)
    closedir(d);
  return out;
}

char *tree_content(const struct node *n, size_t *size) {
  char *out = NULL;
  switch (n->kind) {
  case FIXED:
    *size = n->size;
    out = malloc(n->size + 1);
    memcpy(out, n->data, n->size);
    break;
  case ON_DISK: out = read_file(n->data, size); break;
  case PROC:
    out = read_file(n->data, size);
    for (size_t i = 0; out != NULL && i < *size; i++) {
      if (out[i] == '\0')
        out[i] = '\n';
    }
    break;
  case DESCRIPTORS:
    out = descriptors();
    *size = strlen(out);
    break;
  }
  return out;
}
