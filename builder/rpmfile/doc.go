// Package rpmfile reads RPM package files: their headers, digests and payload.
//
// A package file is lead, signature header, header, payload (RPM documentation,
// "RPM V4 Package format"). The lead (96 bytes) says nothing of use. Both headers are
// an index of tags and a store of values; the signature header, padded to 8 bytes,
// holds digests and signatures of what follows. The payload is a compressed cpio
// archive.
//
// A package file is hostile until its checksum, taken from repository metadata, has
// been verified, and even then only as good as that metadata. So lengths are checked
// before anything is allocated, the digests inside are verified before the payload
// is decompressed, and files are made only through an [os.Root].
package rpmfile
