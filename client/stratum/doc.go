// Package stratum fetches files over HTTP from the servers of a repository, the
// Stratum 1s, by way of proxies.
//
// A [Client] has a chain of hosts, one of which is active, and groups of proxies:
// one group is active, and in it one member, which is chosen at random. When a
// request fails, the kind of failure ([Code]) decides who is to blame. A broken
// transfer is tried again in the same way after a random pause; damaged data are
// asked for once more past all caches; then the next host is tried, or another
// proxy of the group, and when a group is used up the next group, until everything
// was tried once (CVMFS client, network/download.cc VerifyAndFinalize).
//
// Nothing a server says is believed. A body ends where the caller's limit is, its
// length is not taken from a header, and a server which accepts and says nothing,
// stops, or sends too slowly is left after the time that is set. Time that the
// receiver takes to store what came does not count.
//
// Addresses of proxies and hosts may hold passwords: logs and errors show neither
// names nor passwords. Proxies come from the options alone, never from the
// environment.
//
// Not in this version: discovery of proxies (auto), one member per address of a
// proxy's name, order of hosts by distance.
package stratum
