/* Parts of libcvmfs_fuse3. */
#ifndef MODULE_H
#define MODULE_H

#define FUSE_USE_VERSION 32
#include <fuse_lowlevel.h>

#include "standin.h"

/* What a file's content is. */
enum kind {
  FIXED,     /* data */
  ON_DISK,   /* the file path */
  PROC,      /* the file path of our own /proc, NUL bytes as line breaks */
  DESCRIPTORS,
};

struct node {
  fuse_ino_t parent;
  char *name;
  mode_t mode;
  enum kind kind;
  char *data; /* content, link target or path */
  size_t size;
};

/* The tree (tree.c). Inodes are 1 and up; 1 is the root. */
void tree_make(const char *fqrn);
const struct node *tree_node(fuse_ino_t ino);  /* NULL: there is none */
fuse_ino_t tree_lookup(fuse_ino_t parent, const char *name); /* 0: there is none */
fuse_ino_t tree_count(void);
/* A file's content, to be freed; NULL on failure. */
char *tree_content(const struct node *n, size_t *size);

extern const struct fuse_lowlevel_ops operations; /* operations.c */
void operations_init(const struct loader *l);

/* The manager of a cache that several clients share (cachemgr.c): a process of its own,
 * this program executed again. Connecting starts it when there is none. */
bool cachemgr_connect(const char *program, long limit);
int cachemgr_main(int argc, char **argv);

/* The process that watches over this one (watchdog.c). */
bool watchdog_spawn(void);
void watchdog_stop(void);

#endif
