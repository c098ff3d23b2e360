// Package cache keeps objects of repositories in a directory, by hash.
//
// The directory is laid out as the CVMFS client's (cache_posix.cc), so that either
// can start on what the other left:
//
//	hh/REST[-ALGO]       the content of an object, inflated; hhREST is its hash
//	txn/fetchXXXX        an object that is being written
//	cvmfschecksum.FQRN   the newest known state of a repository (trust.Breadcrumb)
//	sums/HASH            ours: the SHA-256 of the content of a catalog or certificate
//
// An object is written to txn and renamed when it is complete and verified, so what
// has a name is whole, whoever else works in the same directory at that time.
//
// # What is trusted
//
// The hash in a name is that of the stored, compressed bytes: it says nothing about
// the content in the file, which cannot be verified by it. So the directory itself
// must be trusted: it has to belong to us and be closed to the writes of others,
// which [Open] checks on the descriptor through which everything below is reached. Of
// files the same is asked, so that nothing remains of a time when it was not so.
// Against damage (a crash before data reached the disk, a bad disk), files are
// checked by their size, which catalogs name; for catalogs and certificates, on
// which all else rests, also by a digest of our own. What does not fit is removed
// and counts as absent, so that it is fetched again.
//
// A cache that is written by others (an alien cache) and a limit to its size are
// not in this version; [Cache.Usage] is where sizes are accounted.
package cache
