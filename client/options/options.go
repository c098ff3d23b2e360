package options

import (
	"path/filepath"
	"strings"
	"time"
)

// Options is what the configuration asks of the client, typed, but for servers and
// proxies, which package stratum reads itself. Each field names its parameter; a
// field's comment says what the zero value means where that is not plain. Defaults
// are upstream's own, not those of its packaged default.conf.
type Options struct {
	Repository string // fully qualified name

	// Trust.
	PublicKey   string   // PUBLIC_KEY: a colon separated list of files; empty means every *.pub of KeysDir
	KeysDir     string   // KEYS_DIR; empty means /etc/cvmfs/keys
	Blacklists  []string // BLACKLIST, then that of the configuration repository if it is another; absent files count as empty
	RootHash    string   // ROOT_HASH: mount this root catalog; empty: the manifest's
	AltRootPath bool     // ALT_ROOT_PATH: RootHash lies under its alternative name
	Tag         string   // REPOSITORY_TAG
	Date        string   // REPOSITORY_DATE

	// Cache.
	CacheDir   string // CACHE_DIR, or CACHE_BASE joined with "shared" or the repository
	Workspace  string // WORKSPACE, by default CacheDir
	Alien      string // ALIEN_CACHE: a cache directory that others manage; empty: none
	QuotaBytes int64  // QUOTA_LIMIT; 0 or less is no limit

	// The file system.
	KernelTimeout    time.Duration // KCACHE_TIMEOUT: attributes, names, absent names
	CheckPermissions bool          // CHECK_PERMISSIONS: the kernel checks modes
	ClaimOwnership   bool          // CLAIM_OWNERSHIP: everything belongs to the client's user
	WorldReadable    bool          // WORLD_READABLE
	UIDMap, GIDMap   string        // UID_MAP, GID_MAP: files; see [ReadIDMap]
	RawSymlinks      bool          // SERVER_CACHE_MODE: variables in link targets stay
	CacheSymlinks    bool          // CACHE_SYMLINKS: the kernel may keep link targets
	Xattrs           Visibility    // MAGIC_XATTRS_VISIBILITY, HIDE_MAGIC_XATTRS
	CatalogWatermark int           // CATALOG_WATERMARK: attached catalogs; 0: a quarter of the descriptors
	Suid             bool          // SUID

	// The process.
	Files     uint64 // NFILES: descriptors; 0 leaves the limit alone
	LogFile   string // USYSLOG; empty: none
	LogPrefix string // SYSLOG_PREFIX, by default the repository
	MountDir  string // MOUNT_DIR
}

// Inside reports whether a path lies in the mounted repository itself, as far as
// names tell. A client that opens such a path waits for itself.
func (o *Options) Inside(path string) bool {
	rest, ok := strings.CutPrefix(filepath.Clean(path), filepath.Join(o.MountDir, o.Repository))
	return ok && (rest == "" || rest[0] == '/')
}

// Visibility says for which paths listxattr shows the client's own attributes.
type Visibility int

// The visibilities.
const (
	XattrsRootOnly Visibility = iota // the repository's top directory
	XattrsNever
	XattrsAlways
)

// FromParameters types the parameters for the repository fqrn. Errors wrap
// [ErrUsage].
func FromParameters(p *Parameters, fqrn string) (*Options, error) {
	r := reader{p}
	o := &Options{
		Repository:  fqrn,
		PublicKey:   r.text("PUBLIC_KEY", ""),
		KeysDir:     r.text("KEYS_DIR", ""),
		RootHash:    strings.TrimSpace(r.text("ROOT_HASH", "")),
		AltRootPath: r.on("ALT_ROOT_PATH", false),
		Tag:         r.text("REPOSITORY_TAG", ""),
		Date:        r.text("REPOSITORY_DATE", ""),

		KernelTimeout:    r.seconds("KCACHE_TIMEOUT", 60),
		CheckPermissions: r.on("CHECK_PERMISSIONS", false),
		ClaimOwnership:   r.on("CLAIM_OWNERSHIP", false),
		WorldReadable:    r.on("WORLD_READABLE", false),
		UIDMap:           r.text("UID_MAP", ""),
		GIDMap:           r.text("GID_MAP", ""),
		RawSymlinks:      r.cacheOn("SERVER_CACHE_MODE", "SERVER_MODE"),
		CacheSymlinks:    r.on("CACHE_SYMLINKS", false),
		Xattrs:           r.visibility(),
		CatalogWatermark: int(min(max(r.number("CATALOG_WATERMARK", 0), 0), 1<<30)),
		Suid:             r.on("SUID", false),

		Files:     uint64(max(r.number("NFILES", 0), 0)),
		LogFile:   r.text("USYSLOG", ""),
		LogPrefix: r.text("SYSLOG_PREFIX", fqrn),
		MountDir:  r.text("MOUNT_DIR", "/cvmfs"),
	}
	o.Blacklists = append(o.Blacklists, r.text("BLACKLIST", "/etc/cvmfs/blacklist"))
	if cr := r.text("CONFIG_REPOSITORY", ""); cr != "" && cr != fqrn {
		o.Blacklists = append(o.Blacklists, filepath.Join(o.MountDir, cr, "etc/cvmfs/blacklist"))
	}
	return o, o.cache(r)
}

func (r reader) visibility() Visibility {
	switch strings.ToLower(r.text("MAGIC_XATTRS_VISIBILITY", "")) {
	case "rootonly":
		return XattrsRootOnly
	case "never":
		return XattrsNever
	case "always":
		return XattrsAlways
	}
	switch {
	case !r.isSet("HIDE_MAGIC_XATTRS"):
		return XattrsRootOnly
	case r.on("HIDE_MAGIC_XATTRS", false):
		return XattrsNever
	}
	return XattrsAlways
}

// primary returns the name of the cache instance.
func (r reader) primary() string { return r.text("CACHE_PRIMARY", "default") }

// cacheText reads a cache parameter: CACHE_<instance>_<own> of a named instance;
// for the default one the short name, then CACHE_<own>.
func (r reader) cacheText(short, own string) string {
	if name := r.primary(); name != "default" {
		return r.text("CACHE_"+name+"_"+own, "")
	}
	if r.isSet(short) {
		return r.text(short, "")
	}
	return r.text("CACHE_"+own, "")
}

func (r reader) cacheOn(short, own string) bool { return IsOn(r.cacheText(short, own)) }

// cache places the cache directory (cvmfs/mountpoint.cc, DetermineCacheDir).
func (o *Options) cache(r reader) error {
	name := r.primary()
	if err := instanceName(name); err != nil {
		return err
	}
	if t := r.cacheText("CACHE_TYPE", "TYPE"); t != "" && t != "posix" {
		return usagef("cache type %q is not supported, only posix", t)
	}
	base, dir := r.cacheText("CACHE_BASE", "BASE"), r.cacheText("CACHE_DIR", "DIR")
	o.Alien = r.cacheText("ALIEN_CACHE", "ALIEN")
	shared := r.cacheOn("SHARED_CACHE", "SHARED")
	o.QuotaBytes = 1024 << 20
	if q := r.cacheText("QUOTA_LIMIT", "QUOTA_LIMIT"); q != "" {
		one := &Parameters{}
		one.Set("CVMFS_Q", q, "")
		o.QuotaBytes = min(max(reader{one}.number("Q", 0), 0), 1<<40) << 20
	}
	switch {
	case base != "" && dir != "":
		return usagef("'CVMFS_CACHE_BASE' and 'CVMFS_CACHE_DIR' are mutually exclusive")
	case o.Alien != "" && shared:
		return usagef("an alien cache cannot be a shared cache as well")
	case o.Alien != "" && o.QuotaBytes > 0:
		return usagef("an alien cache has no quota: set CVMFS_QUOTA_LIMIT=-1")
	case dir != "":
		o.CacheDir = dir
	default:
		if base == "" {
			base = "/var/lib/cvmfs"
		}
		leaf := o.Repository
		if shared {
			leaf = "shared"
		}
		o.CacheDir = filepath.Join(base, leaf)
	}
	o.Workspace = o.CacheDir
	if w := r.cacheText("WORKSPACE", "WORKSPACE"); w != "" {
		o.Workspace = w
	}
	return nil
}
