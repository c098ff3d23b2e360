// Package trust decides whether the state of a repository that a server offers is
// the one its owner published.
//
// The chain of trust has five links, each checked before the next is looked at:
//
//	master key     the site's own file; its holder signs
//	whitelist      .cvmfswhitelist: fingerprints of certificates, with an expiry date
//	certificate    an object of the repository; its key signs
//	manifest       .cvmfspublished: repository name, revision, and the
//	root catalog   hash, from which every other object is reached by hash
//
// [Verifier.Manifest] walks it in the order of the CVMFS client (manifest_fetch.cc)
// and is the only way to a manifest that may be believed. Every reason to refuse
// is a sentinel error with the client's own words and matches [ErrRefused]; what
// cannot be checked is refused. A server that was not reached is no refusal: the
// error of [Sources] comes back as it is.
//
// Manifest and whitelist are letters: lines of text, a line "--", the hash of the
// text before it, and an RSA signature over the text of that hash (CVMFS client,
// crypto/signature.cc).
package trust
