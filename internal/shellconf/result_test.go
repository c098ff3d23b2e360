package shellconf

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

func TestResult(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "etc/cvmfs/b.conf"), "\nB=2\nA=3\n")
	_, r, err := rooted(t, dir, "A=1\n. ./b.conf\nreadonly C=x\nC=y\nexport D=\nexport E\nC=x\n")
	if err != nil {
		t.Fatal(err)
	}
	etc := filepath.Join(dir, "etc/cvmfs")
	var got []string
	for _, v := range r.Vars {
		got = append(got, fmt.Sprintf("%s=%s %s:%d %v %v", v.Name, v.Value, strings.TrimPrefix(v.File, etc), v.Line, v.Exported, v.ReadOnly))
	}
	want := "A=3 /b.conf:3 false false|B=2 /b.conf:2 false false|C=x /default.conf:3 false true|D= /default.conf:5 true false"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	if len(r.Warnings) != 1 || r.Warnings[0].Line != 4 || !strings.Contains(r.Warnings[0].Text, "readonly") {
		t.Errorf("warnings: %v", r.Warnings)
	}
}

func TestSetAndPin(t *testing.T) {
	e, err := New(t.Context(), Options{Env: map[string]string{"HOME": "/h", "X": "env"}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	run := func(text string) {
		t.Helper()
		if _, err := e.Source(File{Path: "/f", Data: []byte(text)}); err != nil {
			t.Fatal(err)
		}
	}
	e.Pin("P", false)
	run("P=file; readonly R=1; A=$X-$HOME")
	if err := e.Set("R", "2", "caller"); err != nil {
		t.Fatal(err)
	}
	if err := e.Set("Q", "pinned", "caller"); err != nil {
		t.Fatal(err)
	}
	e.Pin("Q", true)
	run("Q=file; unset Q; B=$Q")
	for name, want := range map[string]string{"R": "2", "Q": "pinned", "B": "pinned", "A": "env-/h"} {
		if got, _ := e.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if _, ok := e.Get("P"); ok {
		t.Error("P has a value")
	}
	r := e.Result()
	if len(r.Warnings) != 1 {
		t.Errorf("warnings: %v", r.Warnings)
	}
	for _, v := range r.Vars {
		if v.Name == "X" || v.Name == "HOME" {
			t.Errorf("%s of the environment is in the result", v.Name)
		}
	}
	if err := e.Set("a b", "", "caller"); err == nil {
		t.Error("a name with a blank was set")
	}
}

// TestRandom: RANDOM and $$ spread, and are repeatable with a seed.
func TestRandom(t *testing.T) {
	value := func(seed uint64) string {
		r, err := Eval(t.Context(), Options{Seed: seed}, File{Path: "/f", Data: []byte("A=$RANDOM-$RANDOM-$$; [ $((RANDOM % 2)) -lt 2 ] || A=bad")})
		if err != nil {
			t.Fatal(err)
		}
		return r.Vars[0].Value
	}
	if a, b := value(7), value(7); a != b {
		t.Errorf("same seed: %s and %s", a, b)
	}
	seen := map[string]bool{}
	for range 20 {
		seen[value(0)] = true
	}
	if len(seen) < 10 {
		t.Errorf("without a seed only %d different values of 20", len(seen))
	}
}
