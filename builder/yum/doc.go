// Package yum reads the metadata of rpm-md ("yum") repositories and picks packages
// from it.
//
// A repository has repodata/repomd.xml, which names the primary metadata with its
// checksums; primary.xml, usually compressed, lists every package with its NEVRA,
// checksum, size and location. There is no formal specification: the forms are those
// that createrepo_c writes and libdnf reads.
//
// The checksums make a chain: repomd.xml vouches for primary.xml, and that for the
// packages. Nothing in here vouches for repomd.xml itself.
//
// All of it comes from the network and is treated as hostile: sizes, counts, depth
// and lengths are bounded, and a location cannot leave the repository.
package yum
