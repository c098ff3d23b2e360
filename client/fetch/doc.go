// Package fetch gets verified objects and manifests of one repository: from the
// cache, and what is not there from the servers, through the cache.
//
// A [Fetcher] streams an object into the cache while it hashes and inflates it, so
// memory does not depend on sizes, and hands out what the cache holds. Several who
// want the same object at once cause one download. When the cache cannot take an
// object (a full disk), reading goes on: the object is kept, without a name, in
// memory up to a limit or in a temporary file, as long as it is open.
//
// [Fetcher.Manifest] fetches and verifies the signed state of the repository, and
// [Fetcher.Root] chooses between that and the newest state known here, which makes
// a mount without network possible (CVMFS client, manifest_fetch.cc and
// catalog_mgr_client.cc).
package fetch
