// Package fusemount gets a /dev/fuse descriptor that is mounted somewhere, and takes
// the mount away again.
//
// There are three ways, tried in this order:
//
//   - A mount point /dev/fd/N says that the caller has mounted already; descriptor N
//     is used as it is ([Premounted]).
//   - mount(2), for root and for the root of a user namespace. Nothing else is
//     executed, so it works with an empty PATH.
//   - The set-user-ID helper fusermount3 (or fusermount), when mount(2) is refused. It
//     opens /dev/fuse, mounts, and passes the descriptor back over a socket.
//
// The mount shows as `cvmfs2 on DIR type fuse`, read-only, without devices and
// set-user-ID bits.
//
// Sources: Linux Documentation/filesystems/fuse.rst and fs/fuse/inode.c (options),
// libfuse lib/mount.c (the helper's protocol: descriptor number in _FUSE_COMMFD,
// answer by SCM_RIGHTS).
package fusemount
