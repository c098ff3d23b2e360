#!/bin/sh
# build.sh VERSION DIR: compiles the stand-in; DIR gets a tree for each package, cvmfs,
# cvmfs-libs and cvmfs-fuse3, and one for fuse3-libs with this machine's libfuse3.
# Needs gcc, pkg-config and the headers of libfuse3. No program or library gets a search
# path of its own.
set -eu
version=$1 dir=$2
cd "$(dirname "$0")"
mkdir -p "$dir/cvmfs/usr/bin" "$dir/cvmfs-libs/usr/lib64" "$dir/cvmfs-fuse3/usr/lib64" "$dir/fuse3-libs/usr/lib64"
cc="gcc -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden
  -DSTANDIN_VERSION=\"$version\" $(pkg-config --cflags fuse3)"

library() { # PACKAGE NAME [FLAG|FILE ...]
	lib=$dir/$1/usr/lib64 name=$2
	shift 2
	$cc -shared -Wl,-soname,"$name.so.$version" -o "$lib/$name.so.$version" "$@"
	ln -s "$name.so.$version" "$lib/$name.so"
}

module='module.c cachemgr.c watchdog.c tree.c operations.c'
library cvmfs-libs libcvmfs_util log.c options.c path.c
util=$dir/cvmfs-libs/usr/lib64/libcvmfs_util.so.$version
library cvmfs-fuse3 libcvmfs_fuse3_stub stub.c "$util" -lfuse3 -ldl
library cvmfs-fuse3 libcvmfs_fuse3 $module "$util" -lfuse3 -lpthread
library cvmfs-fuse3 libcvmfs_fuse3_debug -DDEBUGMSG $module "$util" -lfuse3 -lpthread
$cc -o "$dir/cvmfs/usr/bin/cvmfs2" cvmfs2.c "$util" -ldl

fuse=$(readlink -f "$(gcc -print-file-name=libfuse3.so)")
cp "$fuse" "$dir/fuse3-libs/usr/lib64/"
ln -s "$(basename "$fuse")" "$dir/fuse3-libs/usr/lib64/libfuse3.so.3"
