// Package cvmfsbundle is the root of a program that builds one file which gives
// an ordinary user /cvmfs, and of what that file does where it is started.
//
// # Programs
//
// The builder (cmd/cvmfsbundle) takes the CVMFS client and configuration from RPM
// repositories, lays them out as a dist tree and appends them, compressed, to the
// stub. The stub (stub, runtime) is the static program at the head of every bundle:
// it unpacks the tree, mounts the repositories and runs the user's command. The
// built-in client (cmd/cvmfs2, client) is a read-only CVMFS client that can stand
// in for upstream's cvmfs2.
//
// # Glossary
//
//   - bundle: the file the builder writes: stub, payload, manifest, trailer
//     (docs/format.md). Its ID is the SHA-256 of the manifest.
//   - dist: the tree inside a bundle: usr/bin/cvmfs2, etc/cvmfs, .cvmfsexecdist.
//   - profile: a named source of packages (osg, egi, default, none, demo) in
//     profiles.toml.
//   - mode: one of the four unprivileged ways to mount; the numbers are those of
//     the original cvmfsexec: 1 fusermount, 2 user namespace and fusermount, 3 user
//     namespace with fuse inside, 4 apptainer or singularity.
//   - repository, fqrn: a CVMFS repository and its fully qualified name.
//   - configuration repository: the repository that holds the configuration of the
//     others.
package cvmfsbundle

import _ "embed"

// Profiles is the text of the profiles.toml that the program was built with. Package
// profiles parses it.
//
//go:embed profiles.toml
var Profiles string
