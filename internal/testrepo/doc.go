// Package testrepo publishes signed CVMFS repositories and serves them, for the
// project's tests and its demonstration. It shares no code with the client it
// tests: hashes, letters, catalogs (through a SQLite library) are written here a
// second time, and compared with repositories of the CernVM-FS server tools.
//
// A tree is described in memory, published into a directory laid out as a
// Stratum 1 serves it, and served on loopback:
//
//	r := testrepo.New("test.example.org")
//	r.File("bin/tool", "#!/bin/sh\n", testrepo.Mode(0o755))
//	r.Symlink("current", "bin")
//	r.File("data/big", "", testrepo.Content(testrepo.Random(1, 10<<20)), testrepo.Chunked(4<<20))
//	r.Nested("data")
//	pub, err := r.Publish(dir)          // .cvmfspublished, .cvmfswhitelist, data/
//	s := testrepo.Serve(t, pub)         // s.RepoURL(pub.FQRN), pub.PublicKeyPEM
//	want, err := pub.Expected(testrepo.View{})
//
// Paths are slash separated and relative to the repository's root; a leading slash
// is allowed, missing parent directories are made. Everything is deterministic: the
// same description gives the same bytes, keys included ([SeededKeys]).
//
// Publish takes [Break] options which make one thing wrong on purpose; [Server]
// injects the faults of networks and servers.
package testrepo
