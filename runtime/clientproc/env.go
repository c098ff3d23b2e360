package clientproc

import "strings"

// scrub returns env without the variables that change how a program is loaded or how
// its language runtime behaves, and without proxy settings other than http_proxy,
// which the client reads for an "auto" proxy (CVMFS documentation, CVMFS_HTTP_PROXY).
// X509_USER_PROXY is a credential, whatever its name looks like.
// What remains serves the variant symbolic links of repositories, $(NAME).
func scrub(env []string) []string {
	out := make([]string, 0, len(env)+2)
	for _, kv := range env {
		name, _, ok := strings.Cut(kv, "=")
		if ok && name != "" && !dropped(name) {
			out = append(out, kv)
		}
	}
	return out
}

func dropped(name string) bool {
	for _, prefix := range []string{"LD_", "GO", "BASH_FUNC_", "MALLOC_", "CVMFSEXEC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	switch name {
	case "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "IFS", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH", "NLSPATH",
		"RESOLV_HOST_CONF", "HOSTALIASES", "CVMFS_LIBRARY_PATH":
		return true
	case "http_proxy", "X509_USER_PROXY":
		return false
	}
	return strings.HasSuffix(strings.ToLower(name), "_proxy")
}
