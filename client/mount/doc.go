// Package mount is the cvmfs2 command: it puts the client's parts together, mounts,
// and serves until the mount is gone.
//
// # The way of a start
//
// The command line is read; without -f a second process is started that does all
// the rest (package daemon). Then, each step with its own sentence and exit code
// when it fails: the configuration files, the mount point, limits, user and group,
// the log file, cache, keys, the signed manifest, the root catalog. Only when the
// repository is known to be good is anything mounted, so a failed start leaves
// nothing behind. Once the kernel has had the answer to its INIT request, the
// start has succeeded: the first program can use the mount, and the parent process
// ends with 0.
//
// # Sharing and double mounts
//
// Upstream's client holds a lock on its workspace for its whole life, so that one
// cache serves one process per repository. This client shares a cache with any
// number of its like, so the same lock file (lock.FQRN) is held only from the test
// whether the mount point is in use until the mount is made: two starts on one
// mount point cannot both succeed, and starts on different ones do not wait for
// each other's networks. The test is upstream's: a mount point whose attribute
// user.fqrn names the same repository is already mounted (exit code 0), one that
// names another is taken (20).
//
// # Messages and exit codes
//
// A failure is one line on standard error, and the same line in the log file:
//
//	SENTENCE (N - TEXT)
//
// N is the exit code and TEXT upstream's name for it ([exit.Cvmfs2]). What is not
// to be trusted ends with 15 and a sentence that begins "failed to verify
// repository", missing keys with 15 and "failed to load public key(s)". A root
// catalog that cannot be had ends with 16: the sentence goes on "unreachable:" when
// no server gave an answer, "damaged:" when what came is not what the signed hash
// names or is no catalog, and "failed:" otherwise (a server that says 404).
//
// Sources: CVMFS client, loader.cc and mountpoint.cc.
package mount
