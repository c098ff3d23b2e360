// Package profiles reads profiles.toml: which packages, from which RPM
// repositories, make the dist of a bundle.
//
// # Schema
//
//	schema = 1                       # this version of the schema
//
//	[machines.rhel9-x86_64]          # a machine type
//	arch = "x86_64"                  # RPM architecture
//	distro = "rhel"                  # ID_LIKE of the dist's etc/os-release, {DISTRO}
//	version = "9"                    # VERSION_ID of it, {VERSION_ID}
//	el = 9                           # the Enterprise Linux its packages fit, {EL}
//
//	[repositories.cern]              # an rpm-md repository; the first source whose
//	sources = [                      # condition holds gives its base URL
//	  { when = "distro = suse", url = "https://.../{VERSION_ID}/{ARCH}" },
//	  { url = "https://...", mirrors = ["https://..."] },
//	]
//
//	[profiles.osg]
//	summary = "one line"             # for "cvmfsbundle profiles"
//	extends = "base"                 # start from another profile: single values
//	                                 # replace, packages are added
//	hidden = true                    # only to be extended
//	machines = ["rhel*"]             # patterns of machine types; default all
//	client = "rpm"                   # or "builtin": the client taken by default
//	versions = [                     # the repository whose newest cvmfs says which
//	  { when = "arch != ppc64le",    # version is taken; none: the newest there is
//	    repository = "osg" },
//	]
//	packages = [                     # replaces a package of that name in the parent
//	  { name = "cvmfs", repository = "cern", when = "client = rpm" },
//	  { name = "cvmfs-libs", repository = "cern", when = "client = rpm",
//	    lockstep = true },           # of exactly the version and release of cvmfs
//	]
//	local = '''...'''                # etc/cvmfs/default.local
//
// A condition is a list of comparisons joined by "and" and "or" ("and" binds
// tighter): VARIABLE OPERATOR VALUE with the variables machine, arch, distro, el,
// client and version (of cvmfs; known only with client = rpm, which must be asked
// first), the operators = and != (VALUE may be a pattern with *) and for el and
// version also >= > <= <, which compare as rpm does. No condition always holds.
//
// A file of the user's own ([Set.Overlay]) has the same form; a machine,
// repository or profile in it replaces the shipped one of that name.
//
// Every error names file and line and says what to do. Unknown keys are errors.
package profiles
