package standin

import (
	"path/filepath"

	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmtest"
)

// packages returns what lies in each repository. The compressions differ as they do in
// the real ones.
func packages(trees string) map[string][]rpmtest.Spec {
	tree := func(name string) string { return filepath.Join(trees, name) }
	client := func(name string, files ...rpmtest.File) rpmtest.Spec {
		return rpmtest.Spec{Name: name, Version: Version, Release: "1.el9", Payload: rpmtest.Gzip, Source: tree(name), Files: files}
	}
	newer := func(name string) rpmtest.Spec {
		return rpmtest.Spec{Name: name, Version: Newer, Release: "1.el9", Files: []rpmtest.File{text("/usr/share/doc/"+name+"/newer", "not what the profile takes\n")}}
	}
	return map[string][]rpmtest.Spec{
		"cern": {
			client("cvmfs", clientFiles...), client("cvmfs-libs"), client("cvmfs-fuse3"),
			newer("cvmfs"), newer("cvmfs-libs"), newer("cvmfs-fuse3"),
		},
		"osg": {
			{Name: "cvmfs", Version: Version, Release: "1.osg25.el9", Files: []rpmtest.File{text("/usr/share/doc/cvmfs/osg", "only its version counts\n")}},
			{Name: "cvmfs-config-osg", Version: "2.6", Release: "1.osg25.el9", Arch: "noarch", Payload: rpmtest.Xz, Files: configFiles},
			{Name: "cvmfs-config-osg", Version: "2.10", Release: "1.osg25.el9", Arch: "noarch", Payload: rpmtest.Xz, Files: configFiles},
			{Name: "cvmfs-x509-helper", Version: "2.6", Release: "1.osg25.el9", Files: helperFiles},
		},
		"epel": {{Name: "scitokens-cpp", Version: "1.1.3", Release: "1.el9", Files: tokenFiles}},
		"fuse": {{Name: "fuse3-libs", Version: "3.14.0", Release: "9.el9", Payload: rpmtest.Zstd, Source: tree("fuse3-libs")}},
	}
}

func text(path, data string) rpmtest.File { return rpmtest.File{Path: path, Data: data} }

func program(path, data string) rpmtest.File {
	return rpmtest.File{Path: path, Data: data, Mode: 0o755}
}

func directory(path string) rpmtest.File { return rpmtest.File{Path: path, Dir: true, Mode: 0o755} }

// clientFiles are those of the package cvmfs beside the program. The last ones are not
// upstream's: they are the tree of the configuration repository, which the stand-in
// serves from CVMFS_STANDIN_ROOT.
var clientFiles = append([]rpmtest.File{
	{Path: "/etc/cvmfs/default.conf", Data: defaults, Attrs: "%config"},
	text("/etc/cvmfs/config.sh", "# functions of the mount helpers\n"),
	text("/etc/cvmfs/default.d/README", "Files named *.conf are read after default.conf.\n"),
	directory("/etc/cvmfs/config.d"),
	directory("/etc/cvmfs/domain.d"),
	program("/usr/libexec/cvmfs/auto.cvmfs", "#!/bin/bash\nexit 1\n"),
	{Path: "/etc/auto.cvmfs", Link: "/usr/libexec/cvmfs/auto.cvmfs"},
	program("/usr/libexec/cvmfs/authz/cvmfs_allow_helper", "#!/bin/sh\nexit 0\n"),
	program("/sbin/mount.cvmfs", "#!/bin/bash\nexit 1\n"),
	program("/usr/bin/cvmfs_config", "#!/bin/bash\nexit 1\n"),
	{Path: "/var/lib/cvmfs", Dir: true, Mode: 0o700},
}, configRepository...)

const defaults = `# Defaults of the packages.
CVMFS_CLIENT_PROFILE=
CVMFS_CACHE_BASE=/var/lib/cvmfs
CVMFS_SHARED_CACHE=yes
CVMFS_QUOTA_LIMIT=4000
CVMFS_STRICT_MOUNT=no
CVMFS_CHECK_PERMISSIONS=yes
CVMFS_CLAIM_OWNERSHIP=yes
CVMFS_NFILES=131072
CVMFS_TIMEOUT=5
CVMFS_TIMEOUT_DIRECT=10
CVMFS_MAX_RETRIES=1
CVMFS_BACKOFF_INIT=2
CVMFS_BACKOFF_MAX=10
CVMFS_LOW_SPEED_LIMIT=1024
CVMFS_HOST_RESET_AFTER=1800
CVMFS_PROXY_RESET_AFTER=300
CVMFS_USE_GEOAPI=no
CVMFS_SEND_INFO_HEADER=no
CVMFS_KEYS_DIR=/etc/cvmfs/keys
if [ "x$CVMFS_BASE_ENV" = "x" ]; then
  readonly CVMFS_USER=cvmfs
  readonly CVMFS_RELOAD_SOCKETS=/var/run/cvmfs
  readonly CVMFS_BASE_ENV=1
fi
`

// configFiles are those of the package cvmfs-config-osg, in the manner of the real one.
var configFiles = []rpmtest.File{
	text("/etc/cvmfs/default.d/60-osg.conf", `CVMFS_SEND_INFO_HEADER=yes
CVMFS_KEYS_DIR=/etc/cvmfs/keys/opensciencegrid.org
CVMFS_USE_GEOAPI=yes
CVMFS_CONFIG_REPOSITORY=config-osg.opensciencegrid.org
CVMFS_CONFIG_REPO_REQUIRED=yes
CVMFS_FALLBACK_PROXY="http://proxy1.invalid:3126;http://proxy2.invalid:3126"
`),
	text("/etc/cvmfs/config.d/config-osg.opensciencegrid.org.conf", `# the site may have its own choice
if [ "$CVMFS_HTTP_PROXY" = "auto;DIRECT" ]; then
  CVMFS_USE_CDN=yes
fi
if [ "$CVMFS_USE_CDN" = "yes" ]; then
  CVMFS_FALLBACK_PROXY=""
  CVMFS_SERVER_URL="http://cdn1.invalid/cvmfs/@fqrn@;http://cdn2.invalid:8000/cvmfs/@fqrn@"
else
  CVMFS_SERVER_URL="http://s1.invalid:8000/cvmfs/@fqrn@"
fi
`),
	text("/etc/cvmfs/keys/opensciencegrid.org/opensciencegrid.org.pub", key),
}

// key only has to look like one: nothing is verified.
const key = `-----BEGIN PUBLIC KEY-----
c3RhbmQtaW4gZm9yIGEga2V5
-----END PUBLIC KEY-----
`

// configRepository is the tree of config-osg.opensciencegrid.org.
var configRepository = []rpmtest.File{
	text(configRoot+"default.conf", "CVMFS_MAGIC_XATTRS_VISIBILITY=rootonly\nCVMFS_FROM_CONFIG_REPOSITORY=default\n"),
	text(configRoot+"common.conf", `if [ -z "$CVMFS_USE_CDN" ]; then
  CVMFS_USE_CDN=yes
fi
CVMFS_FROM_COMMON="$CVMFS_FQRN has $CVMFS_HTTP_PROXY"
`),
	text(configRoot+"domain.d/cern.ch.conf", `CVMFS_USE_CDN="$CVMFS_USE_CDN"
. ../common.conf
CVMFS_SERVER_URL="http://cern1.invalid/cvmfs/@fqrn@;http://cern2.invalid/opt/@org@"
CVMFS_KEYS_DIR=$CVMFS_MOUNT_DIR/$CVMFS_CONFIG_REPOSITORY/etc/cvmfs/keys/cern.ch
`),
	text(configRoot+"config.d/atlas.cern.ch.conf", "CVMFS_FROM_CONFIG_REPOSITORY=atlas\n"),
	text(configRoot+"keys/cern.ch/cern.ch.pub", key),
}

const configRoot = "/etc/cvmfs/standin/config-osg.opensciencegrid.org/etc/cvmfs/"

// The packages of the authorization helper; nothing starts it here.
var (
	helperFiles = []rpmtest.File{
		program("/usr/libexec/cvmfs/authz/cvmfs_x509_helper", "#!/bin/sh\nexit 0\n"),
		{Path: "/usr/libexec/cvmfs/authz/cvmfs_scitoken_helper", Link: "/usr/libexec/cvmfs/authz/cvmfs_x509_helper"},
	}
	tokenFiles = []rpmtest.File{
		program("/usr/lib64/libSciTokens.so.0.0.2", "not a library\n"),
		{Path: "/usr/lib64/libSciTokens.so.0", Link: "libSciTokens.so.0.0.2"},
	}
)
