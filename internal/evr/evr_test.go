package evr

import (
	"fmt"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/internal/testenv"
)

func TestCompareVersions(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"1.0", "1.0", 0},
		{"1.0", "1", 1},
		{"2.10.1", "2.9.1", 1},
		{"2.13.0", "2.13", 1},
		{"1.0", "1_0", 0},
		{"1.0", "1.0.", 0},
		{"010", "10", 0},
		{"1a", "1.1", -1},
		{"a", "1", -1},
		{"1.0~rc1", "1.0", -1},
		{"1.0~rc1", "1.0~rc2", -1},
		{"1.0^", "1.0", 1},
		{"1.0^git1", "1.0.1", -1},
		{"1.0~rc1^git1", "1.0~rc1", 1},
		{"", "", 0},
		{"", "~", 1},
		{"", "^", -1},
		{"é1", "1", 0},
		{"99999999999999999999", "100000000000000000000", -1},
	} {
		t.Run(tt.a+" "+tt.b, func(t *testing.T) {
			if got := CompareVersions(tt.a, tt.b); got != tt.want {
				t.Errorf("got %d, want %d", got, tt.want)
			}
			if got := CompareVersions(tt.b, tt.a); got != -tt.want {
				t.Errorf("reversed: got %d, want %d", got, -tt.want)
			}
		})
	}
}

func TestParse(t *testing.T) {
	for in, want := range map[string]EVR{
		"1:2.3-4.el9": {1, "2.3", "4.el9"},
		"2.3":         {0, "2.3", ""},
		"0:2-3-1":     {0, "2-3", "1"},
	} {
		got, err := Parse(in)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", in, got, err, want)
		}
		again, err := Parse(got.String())
		if err != nil || again != got {
			t.Errorf("%q: got %+v from %q, %v", in, again, got.String(), err)
		}
	}
	for _, in := range []string{"", "x:1", "1:", "-1", "4294967296:1"} {
		if got, err := Parse(in); err == nil {
			t.Errorf("%q: got %+v, want an error", in, got)
		}
	}
}

func TestCompareEpochFirst(t *testing.T) {
	if got := (EVR{1, "1", "1"}).Compare(EVR{0, "2", "2"}); got != 1 {
		t.Errorf("got %d, want 1", got)
	}
	if got := (EVR{0, "1", "2"}).Compare(EVR{0, "1", "10"}); got != -1 {
		t.Errorf("got %d, want -1", got)
	}
}

// TestOracle compares random versions with rpm's own function.
func TestOracle(t *testing.T) {
	testenv.Needs(t, testenv.Tool("rpm", "rpm"))
	for _, seed := range testenv.Seeds(t, 2, 40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		type pair struct{ a, b string }
		var pairs []pair
		lua := strings.Builder{}
		for range 400 {
			p := pair{version(rng), version(rng)}
			if rng.IntN(3) == 0 { // near misses
				p.b = p.a + version(rng)
			}
			pairs = append(pairs, p)
			fmt.Fprintf(&lua, "print(rpm.vercmp(%q,%q)..' ')\n", p.a, p.b)
		}
		out, err := exec.Command("rpm", "--eval", "%{lua:"+lua.String()+"}").Output()
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(string(out))
		if len(want) != len(pairs) {
			t.Fatalf("rpm answered %d of %d", len(want), len(pairs))
		}
		for i, p := range pairs {
			if got := fmt.Sprint(CompareVersions(p.a, p.b)); got != want[i] {
				t.Errorf("seed %d: compare %q %q: got %s, rpm says %s", seed, p.a, p.b, got, want[i])
			}
		}
	}
}

func version(rng *rand.Rand) string {
	const alphabet = "0011223abzA..,,__~^+" // no "-": rpm.vercmp splits off a release there
	b := make([]byte, rng.IntN(9)+1)
	for i := range b {
		b[i] = alphabet[rng.IntN(len(alphabet))]
	}
	return string(b)
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0~rc1", "1.0^git", "1.0")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		ab, ba := CompareVersions(a, b), CompareVersions(b, a)
		if ab != -ba {
			t.Errorf("not antisymmetric: %q %q: %d %d", a, b, ab, ba)
		}
		if ab <= 0 && CompareVersions(b, c) <= 0 && CompareVersions(a, c) > 0 {
			t.Errorf("not transitive: %q %q %q", a, b, c)
		}
	})
}
