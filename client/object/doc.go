// Package object names, hashes and inflates the content addressed objects of a
// repository.
//
// An object is a file on the server, under a name made from its [Hash]: the
// digest over the bytes as they are stored and sent. Most objects are zlib
// streams ([Zlib]); what comes out of one is its content. Others are sent as they
// are ([Stored]). The [Suffix] of the name says what kind of object it is; it is
// no part of the hash.
//
// [Reader] and [Copy] hash what they read and inflate it in the same pass, with
// constant memory. They never report success before the digest has been found
// right, so a caller who waits for io.EOF before using what was written has
// verified content.
//
// Formats: CVMFS client, crypto/hash.h and compression/.
package object
