package profiles

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/cvmfsbundle/cvmfsbundle/internal/evr"
)

// A facts value answers what conditions ask.
type facts struct {
	machine Machine
	client  Client
	version string // of cvmfs; "" when not known
}

type comparison struct {
	variable, operator, value string
}

// condition is a disjunction of conjunctions; empty, it always holds.
type condition [][]comparison

// parseCondition reads a condition, see the package documentation.
func parseCondition(s string) (condition, error) {
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	var c condition
	for part := range strings.SplitSeq(" "+s+" ", " or ") {
		var all []comparison
		for term := range strings.SplitSeq(" "+part+" ", " and ") {
			fields := strings.Fields(term)
			if len(fields) != 3 {
				return nil, fmt.Errorf("condition %q: write VARIABLE OPERATOR VALUE, with blanks between, not %q", s, strings.TrimSpace(term))
			}
			one := comparison{fields[0], fields[1], fields[2]}
			if err := one.check(); err != nil {
				return nil, fmt.Errorf("condition %q: %w", s, err)
			}
			all = append(all, one)
		}
		c = append(c, all)
	}
	return c, nil
}

func (c comparison) check() error {
	switch c.variable {
	case "machine", "arch", "distro", "client":
		if c.operator != "=" && c.operator != "!=" {
			return fmt.Errorf("%s is compared with = or !=, not %s", c.variable, c.operator)
		}
		if _, err := path.Match(c.value, ""); err != nil {
			return fmt.Errorf("pattern %q: %w", c.value, err)
		}
	case "el", "version":
		switch c.operator {
		case "=", "!=", ">=", ">", "<=", "<":
		default:
			return fmt.Errorf("unknown operator %q: use = != >= > <= <", c.operator)
		}
	default:
		return fmt.Errorf("unknown variable %q: use machine, arch, distro, el, client or version", c.variable)
	}
	return nil
}

// holds evaluates c from left to right and stops as soon as the answer is known.
func (c condition) holds(f facts) (bool, error) {
	if len(c) == 0 {
		return true, nil
	}
	for _, all := range c {
		ok := true
		for _, one := range all {
			var err error
			if ok, err = one.holds(f); err != nil {
				return false, err
			}
			if !ok {
				break
			}
		}
		if ok {
			return true, nil
		}
	}
	return false, nil
}

func (c comparison) holds(f facts) (bool, error) {
	switch c.variable {
	case "machine":
		return c.match(f.machine.Name), nil
	case "arch":
		return c.match(f.machine.Arch), nil
	case "distro":
		return c.match(f.machine.Distro), nil
	case "client":
		return c.match(string(f.client)), nil
	case "el":
		return c.ordered(strconv.Itoa(f.machine.EL)), nil
	}
	if f.version == "" {
		return false, fmt.Errorf("the version of cvmfs is not known here: ask %q first", "client = rpm")
	}
	return c.ordered(f.version), nil
}

func (c comparison) match(got string) bool {
	ok, _ := path.Match(c.value, got)
	return ok == (c.operator == "=")
}

func (c comparison) ordered(got string) bool {
	order := evr.CompareVersions(got, c.value)
	switch c.operator {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case ">=":
		return order >= 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	}
	return order < 0
}
