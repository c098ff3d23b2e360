package exit

// Cvmfs2 is an exit code of the cvmfs2 command. The numbers are upstream's
// (cvmfs/loader.h, enum Failures), because mount helpers and scripts test them.
type Cvmfs2 int

// Upstream's codes that the built-in client uses.
const (
	Cvmfs2OK          Cvmfs2 = 0  // mounted, or the repository is already mounted on this place
	Cvmfs2Unknown     Cvmfs2 = 1  // unknown error
	Cvmfs2Options     Cvmfs2 = 2  // illegal options
	Cvmfs2Permission  Cvmfs2 = 3  // mount point missing or not permitted
	Cvmfs2Mount       Cvmfs2 = 4  // the kernel refused the mount
	Cvmfs2LoaderTalk  Cvmfs2 = 5  // loader socket
	Cvmfs2FuseLoop    Cvmfs2 = 6  // the event loop failed
	Cvmfs2Cache       Cvmfs2 = 9  // cache directory problem
	Cvmfs2Quota       Cvmfs2 = 12 // quota initialisation failure
	Cvmfs2Signature   Cvmfs2 = 15 // signature verification failure, or keys unreadable
	Cvmfs2Catalog     Cvmfs2 = 16 // root catalog cannot be had: trust, network or damage
	Cvmfs2DoubleMount Cvmfs2 = 20 // another repository is mounted there
	Cvmfs2History     Cvmfs2 = 22 // tag or date not found
	Cvmfs2Wpad        Cvmfs2 = 23 // proxy auto-discovery failed, or no proxy configured
	Cvmfs2Workspace   Cvmfs2 = 24 // workspace is locked
	Cvmfs2Blacklisted Cvmfs2 = 25 // repository revision is blacklisted
)
