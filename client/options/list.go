package options

import (
	"strconv"
	"strings"
)

// list takes one -o argument. A backslash makes the next character literal, as in
// libfuse's fuse_opt_parse, so that a path may hold a comma.
func (c *Command) list(arg string) error {
	for _, word := range splitList(arg) {
		if word == "" {
			continue
		}
		if err := c.word(word); err != nil {
			return err
		}
	}
	return nil
}

func splitList(arg string) []string {
	var words []string
	var b strings.Builder
	for i := 0; i < len(arg); i++ {
		switch {
		case arg[i] == '\\' && i+1 < len(arg):
			i++
			b.WriteByte(arg[i])
		case arg[i] == ',':
			words = append(words, b.String())
			b.Reset()
		default:
			b.WriteByte(arg[i])
		}
	}
	return append(words, b.String())
}

func (c *Command) word(word string) error {
	key, value, has := strings.Cut(word, "=")
	switch word {
	case "debug":
		c.Debug = true
		return nil
	case "fuse_debug":
		c.FuseDebug = true
		return nil
	case "system_mount":
		c.SystemMount = true
		return nil
	case "grab_mountpoint":
		c.GrabMountPoint = true
		return nil
	case "parse":
		c.ParseOnly = true
		return nil
	case "cvmfs_suid":
		c.Suid = true
		return nil
	case "disable_watchdog":
		c.NoWatchdog = true
		return nil
	case "simple_options_parsing":
		c.Simple = true
		return nil
	case "foreground":
		c.Foreground = true
		return nil
	case "_netdev", "user", "nouser", "users", "auto", "noauto": // fstab's words
		return nil
	}
	switch {
	case key == "config" && has:
		c.Config = append(c.Config, strings.Split(value, ":")...)
	case key == "uid" && has:
		return number(word, value, &c.UID)
	case key == "gid" && has:
		return number(word, value, &c.GID)
	case key == "libfuse" && has: // chooses a library of upstream's client
	default:
		return c.fuseWord(word, key, has)
	}
	return nil
}

func number(word, value string, p *int) error {
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return usagef("%q needs a number", word)
	}
	*p = int(n)
	return nil
}

// fuseWord keeps the options that change a FUSE mount, drops the ones that tune
// libfuse (there is none here), and refuses the rest: an option that is
// misspelt or cannot be kept must not be lost in silence.
func (c *Command) fuseWord(word, key string, has bool) error {
	switch key {
	case "allow_other", "default_permissions", "nosuid", "nodev", "noexec", "exec",
		"noatime", "atime", "nodiratime", "relatime", "norelatime", "sync", "async":
		if has {
			return usagef("option %q takes no value", word)
		}
		c.Fuse = append(c.Fuse, word)
		return nil
	case "fsname", "subtype", "max_read":
		if !has {
			return usagef("option %q needs a value", word)
		}
		c.Fuse = append(c.Fuse, word)
		return nil
	case "ro", "rw", "nonempty", "fuse_passthrough", "fuse_passthru",
		"max_readahead", "async_read", "sync_read", "big_writes", "max_background", "congestion_threshold",
		"splice_read", "splice_write", "splice_move", "no_splice_read", "no_splice_write", "no_splice_move",
		"kernel_cache", "auto_cache", "no_auto_cache", "clone_fd", "max_idle_threads", "max_threads":
		return nil // the file system is read-only whatever is asked for; the rest is tuning
	case "suid", "dev":
		return usagef("mount option %q is not supported (set-user-ID: -o cvmfs_suid)", word)
	case "allow_root":
		return usagef("mount option %q is not supported, use allow_other", word)
	}
	return usagef("unknown mount option %q", word)
}
