// Package fusefs shows the catalogs and objects of a repository to the kernel as a
// read-only file system.
//
// # Terms
//
// The kernel speaks of a *dentry* (a name in a directory), an *inode* (a file,
// whatever its names) and a *handle* (an open file or directory). It learns of an
// inode by a LOOKUP or a READDIRPLUS, and from then on calls it by a *node id* of
// our choice, until it has sent FORGET for every time it was told of it. We
// address everything by path, so [nodes] keeps the path of each inode that the
// kernel knows, and nothing else is kept per inode: attributes are read from the
// catalog each time. The number that stat(2) shows is not the node id; it is the
// catalog's, small enough for 32-bit programs, the same for all names of a hard
// link, and comes back after the kernel has forgotten the inode.
//
// # Who caches what, for how long
//
// Attributes, names and the absence of names are the kernel's for
// [Config.Timeout]. It keeps file content without limit, because the content
// behind an inode number never changes; for that reason, too, it may keep directory
// listings. Link targets it asks for each time unless the mount says otherwise.
//
// # Handles
//
// A directory handle has a listing made when it is first read, so that positions
// in it mean the same until it is closed (seekdir, rewinddir). A file handle of a
// whole object has the descriptor of the cached object; nothing can take it away
// any more. A chunked file has only the list of its chunks, and a small common
// cache of descriptors holds the chunks in use; they are fetched when they are
// read. Memory and descriptors thus do not grow with the size of files.
//
// # Interrupts
//
// When a caller receives a signal, the kernel sends INTERRUPT and goes on waiting.
// A caller that is being killed cannot end before it has an answer, so its request
// is cancelled at once and answered with EINTR. A caller that merely handles a
// signal (a timer, a child's end) would not expect EINTR from stat(2), and a page
// fault that fails kills with SIGBUS: such a request gets more time, and a read is
// never cancelled for it. See opContext.
//
// # Deadlocks
//
// A process must not use its own mount: the request would wait for a thread that
// waits for the answer. So nothing in the client opens paths below its mount point
// after it has mounted, and tests mount in a child process.
//
// # Errors
//
// Every failure becomes an errno in one place, [FS.status], which also writes one
// log line for those that are not plain answers: an unknown name is ENOENT, no
// matter what; a catalog or object that cannot be had or is damaged is EIO, never
// ENOENT.
//
// Sources: Linux include/uapi/linux/fuse.h and fs/fuse; CVMFS client, cvmfs.cc and
// glue_buffer.h, for what programs that know CVMFS expect.
package fusefs
