package options

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Parameters is the outcome of the configuration files: CVMFS_* texts, each with
// the file that set it last. The zero value is empty and ready. It is not safe
// for writing by several goroutines.
type Parameters struct {
	values map[string]parameter
}

type parameter struct{ value, origin string }

// Set gives key a value that comes from the file origin.
func (p *Parameters) Set(key, value, origin string) {
	if p.values == nil {
		p.values = make(map[string]parameter)
	}
	p.values[key] = parameter{value, origin}
}

// Get returns the value of key and whether any file set it.
func (p *Parameters) Get(key string) (string, bool) {
	v, ok := p.values[key]
	return v.value, ok
}

// Origin returns the file that set key last.
func (p *Parameters) Origin(key string) string { return p.values[key].origin }

// Keys returns the names of all parameters, sorted.
func (p *Parameters) Keys() []string {
	keys := make([]string, 0, len(p.values))
	for k := range p.values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Expand replaces the templates @fqrn@ and @org@ (the repository's first label) in
// all values. Other words between two @ stay as they are: @proxy@ is replaced
// later, for each request.
func (p *Parameters) Expand(fqrn string) {
	org, _, _ := strings.Cut(fqrn, ".")
	r := strings.NewReplacer("@fqrn@", fqrn, "@org@", org)
	for k, v := range p.values {
		v.value = r.Replace(v.value)
		p.values[k] = v
	}
}

// Dump writes one line per parameter, sorted, in the form of upstream's
// `cvmfs2 -o parse`: KEY=value    # from FILE.
func (p *Parameters) Dump(w io.Writer) error {
	for _, k := range p.Keys() {
		v := p.values[k]
		if _, err := fmt.Fprintf(w, "%s=%s    # from %s\n", k, quote(v.value), v.origin); err != nil {
			return err
		}
	}
	return nil
}

// quote puts a value in single quotes when a shell would not read it as one word.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/:.@+-_~[],=%", r)
	}
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
