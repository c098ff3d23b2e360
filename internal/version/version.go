// Package version holds the one version number of the project.
package version

// Version is the version of the builder, the stub and the built-in client: they
// are released together.
const Version = "0.1.0"
