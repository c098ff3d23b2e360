package dist

import (
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

// localConf composes default.local: the profile's lines, the caller's texts, then
// one assignment for each KEY=VALUE. The file is read as shell: values are quoted
// such that they arrive as they were given.
func localConf(profile string, texts, sets []string) (string, error) {
	var b strings.Builder
	for _, t := range append([]string{profile}, texts...) {
		if strings.ContainsRune(t, 0) {
			return "", exit.Errorf(exit.Config, "the text for default.local holds a zero byte")
		}
		b.WriteString(t)
		if t != "" && !strings.HasSuffix(t, "\n") {
			b.WriteByte('\n')
		}
	}
	for _, s := range sets {
		key, value, err := ParseSet(s)
		if err != nil {
			return "", err
		}
		b.WriteString(key + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	return b.String(), nil
}

// ParseSet splits KEY=VALUE. A key is a shell variable's name; a value has no line
// breaks and no zero bytes.
func ParseSet(s string) (key, value string, err error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok {
		return "", "", exit.Errorf(exit.Usage, "setting %q: write KEY=VALUE", s)
	}
	valid := key != "" && !(key[0] >= '0' && key[0] <= '9')
	for i := range len(key) {
		c := key[i]
		valid = valid && (c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z')
	}
	if !valid {
		return "", "", exit.Errorf(exit.Usage, "setting %q: %q is not the name of a variable", s, key)
	}
	if strings.ContainsAny(value, "\n\r\x00") {
		return "", "", exit.Errorf(exit.Usage, "setting %q: the value holds a line break or a zero byte", s)
	}
	return key, value, nil
}
