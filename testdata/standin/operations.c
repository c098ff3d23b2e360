/* What the kernel asks (CVMFS client, cvmfs.cc). */
#include "module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static const char *fqrn;
static double timeout = 60;
static uid_t owner;
static gid_t group;

void operations_init(const struct loader *l) {
  fqrn = l->fqrn;
  const char *seconds = option("CVMFS_KCACHE_TIMEOUT");
  if (seconds != NULL)
    timeout = atof(seconds) < 0 ? 0 : atof(seconds);
  if (option_on("CVMFS_CLAIM_OWNERSHIP", false)) {
    owner = getuid();
    group = getgid();
  }
}

static bool stat_node(fuse_ino_t ino, struct stat *st) {
  const struct node *n = tree_node(ino);
  if (n == NULL)
    return false;
  memset(st, 0, sizeof *st);
  st->st_ino = ino;
  st->st_mode = n->mode;
  st->st_nlink = S_ISDIR(n->mode) ? 2 : 1;
  st->st_uid = owner;
  st->st_gid = group;
  st->st_size = (off_t)n->size;
  st->st_blksize = 4096;
  st->st_blocks = 1 + st->st_size / 512;
  st->st_atime = st->st_mtime = st->st_ctime = 1700000000;
  return true;
}

static void do_lookup(fuse_req_t req, fuse_ino_t parent, const char *name) {
  struct fuse_entry_param e = {.attr_timeout = timeout, .entry_timeout = timeout, .generation = 1};
  e.ino = tree_lookup(parent, name);
  if (e.ino != 0)
    stat_node(e.ino, &e.attr);
  fuse_reply_entry(req, &e);
}

static void do_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
  struct stat st;
  (void)fi;
  if (stat_node(ino, &st))
    fuse_reply_attr(req, &st, timeout);
  else
    fuse_reply_err(req, ENOENT);
}

static void do_readlink(fuse_req_t req, fuse_ino_t ino) {
  const struct node *n = tree_node(ino);
  if (n != NULL && S_ISLNK(n->mode))
    fuse_reply_readlink(req, n->data);
  else
    fuse_reply_err(req, EINVAL);
}

/* An open file or directory: its content as it was when it was opened. */
struct handle {
  char *data;
  size_t size;
};

static void reply_handle(fuse_req_t req, struct fuse_file_info *fi, char *data, size_t size) {
  struct handle *h = malloc(sizeof *h);
  *h = (struct handle){data, size};
  fi->fh = (uint64_t)(uintptr_t)h;
  fuse_reply_open(req, fi);
}

static void reply_part(fuse_req_t req, const struct fuse_file_info *fi, size_t size, off_t offset) {
  const struct handle *h = (const struct handle *)(uintptr_t)fi->fh;
  if ((size_t)offset >= h->size)
    fuse_reply_buf(req, NULL, 0);
  else
    fuse_reply_buf(req, h->data + offset, size < h->size - (size_t)offset ? size : h->size - (size_t)offset);
}

static void do_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
  struct handle *h = (struct handle *)(uintptr_t)fi->fh;
  (void)ino;
  free(h->data);
  free(h);
  fuse_reply_err(req, 0);
}

static void do_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
  const struct node *n = tree_node(ino);
  size_t size = 0;
  char *data = n != NULL && S_ISREG(n->mode) ? tree_content(n, &size) : NULL;
  if (data == NULL) {
    fuse_reply_err(req, EIO);
    return;
  }
  fi->keep_cache = n->kind == FIXED || n->kind == ON_DISK;
  fi->direct_io = !fi->keep_cache; /* the size is not known beforehand */
  reply_handle(req, fi, data, size);
}

static void do_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
  (void)ino;
  reply_part(req, fi, size, offset);
}

static void append(fuse_req_t req, struct handle *h, const char *name, fuse_ino_t ino) {
  struct stat st;
  size_t size = fuse_add_direntry(req, NULL, 0, name, NULL, 0);
  stat_node(ino, &st);
  h->data = realloc(h->data, h->size + size);
  fuse_add_direntry(req, h->data + h->size, size, name, &st, (off_t)(h->size + size));
  h->size += size;
}

/* The whole listing is made here. The root has no "..", as upstream. */
static void do_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
  const struct node *n = tree_node(ino);
  struct handle h = {NULL, 0};
  if (n == NULL || !S_ISDIR(n->mode)) {
    fuse_reply_err(req, n == NULL ? ENOENT : ENOTDIR);
    return;
  }
  append(req, &h, ".", ino);
  if (ino != FUSE_ROOT_ID)
    append(req, &h, "..", n->parent);
  for (fuse_ino_t i = 2; i <= tree_count(); i++) {
    if (tree_node(i)->parent == ino)
      append(req, &h, tree_node(i)->name, i);
  }
  reply_handle(req, fi, h.data, h.size);
}

static void do_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
  (void)ino;
  reply_part(req, fi, size, offset);
}

static void do_statfs(fuse_req_t req, fuse_ino_t ino) {
  struct statvfs st = {.f_bsize = 512, .f_frsize = 512, .f_files = tree_count()};
  (void)ino;
  fuse_reply_statfs(req, &st);
}

static void reply_value(fuse_req_t req, const char *value, size_t length, size_t size) {
  if (size == 0)
    fuse_reply_xattr(req, length);
  else if (size < length)
    fuse_reply_err(req, ERANGE);
  else
    fuse_reply_buf(req, value, length);
}

static void do_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size) {
  char value[128] = "";
  (void)ino;
  if (strcmp(name, "user.fqrn") == 0)
    snprintf(value, sizeof value, "%s", fqrn);
  else if (strcmp(name, "user.pid") == 0)
    snprintf(value, sizeof value, "%d", (int)getpid());
  else if (strcmp(name, "user.version") == 0)
    snprintf(value, sizeof value, "%s", STANDIN_VERSION);
  if (*value)
    reply_value(req, value, strlen(value), size);
  else
    fuse_reply_err(req, ENODATA);
}

static void do_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size) {
  static const char names[] = "user.fqrn\0user.pid\0user.version";
  reply_value(req, names, ino == FUSE_ROOT_ID ? sizeof names : 0, size);
}

static void do_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups) {
  (void)ino;
  (void)lookups;
  fuse_reply_none(req);
}

const struct fuse_lowlevel_ops operations = {
    .lookup = do_lookup,
    .forget = do_forget,
    .getattr = do_getattr,
    .readlink = do_readlink,
    .open = do_open,
    .read = do_read,
    .release = do_release,
    .opendir = do_opendir,
    .readdir = do_readdir,
    .releasedir = do_release,
    .statfs = do_statfs,
    .getxattr = do_getxattr,
    .listxattr = do_listxattr,
};
