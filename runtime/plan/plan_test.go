package plan

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/inherit"
)

// Any bytes survive, alone and in the structures that hold them.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "a b\n", "\xff\xfe", "é\xc3", "\u2028", "{\"b\":\"eA==\"}", "\x00", strings.Repeat("\xff", 1000)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		data, err := json.Marshal(Message{Kind: Warning, Text: Text(s)})
		if err != nil {
			t.Fatal(err)
		}
		var m Message
		if err := json.Unmarshal(data, &m); err != nil || string(m.Text) != s {
			t.Errorf("%q came back as %q, %v", s, m.Text, err)
		}
	})
}

// Foreign JSON is an error or a value, never a panic, and no larger than what replaces
// invalid bytes (3 for 1).
func FuzzTextUnmarshal(f *testing.F) {
	for _, s := range []string{`"a"`, `{"b":"eA=="}`, `{"b":1}`, `{"b":"?"}`, `[]`, `null`, `{}`, `1`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var x Text
		if json.Unmarshal(data, &x) == nil && len(x) > 3*len(data) {
			t.Errorf("%d bytes from %q", len(x), data)
		}
	})
}

func TestPlanRoundTrip(t *testing.T) {
	odd := []string{"a b", "", "\xff\n", strings.Repeat("x", 200<<10)}
	want := &Plan{
		Dist: "/d\xff", State: "/s\n", UserNS: true, PIDNS: true, UID: 7, GID: 8, Dir: "/\xfe", Command: Texts(odd), Env: Texts(odd),
		Inherit: inherit.State{Known: true, Ignored: 1<<63 | 1, Mask: 1 << 62, NoFile: unix.Rlimit{Cur: 1 << 20, Max: unix.RLIM_INFINITY}},
		Foreign: []int{3, 200}, Control: 10, PIDs: 11, Null: 12, ConfigRepo: "c.d", Started: []Client{{Repo: "a.b", Config: "A=b\n", Output: 13, Debug: true, Checks: true}},
		Pending: []string{"e.f"}, Local: "/l", Set: Texts([]string{"A=\xff"}), CacheBase: "/c", RunDir: "/r", MountLimit: 300, NoExec: true, Sealed: "/",
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := want.Write(f); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Dup(int(f.Fd())) // Read closes it
	f.Close()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(fd)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v %s", err, cmp.Diff(got, want))
	}
	if !cmp.Equal(Strings(got.Env), odd) {
		t.Error("the environment changed")
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); !errors.Is(err, unix.EBADF) {
		t.Errorf("the plan's descriptor: %v; want it closed", err)
	}
	if _, err := Read(-1); err == nil {
		t.Error("a plan from descriptor -1")
	}
}

func TestFailureRoundTrip(t *testing.T) {
	err := exit.Errorf(exit.Trust, "mount a.b: \xff %s", strings.Repeat("x", 200<<10)).Hint("look at %s", "\xfe").Hint("second")
	outer, inner := pair(t)
	if err := SendLast(inner, Failure(err)); err != nil {
		t.Fatal(err)
	}
	m, rerr := Receive(outer)
	if rerr != nil {
		t.Fatal(rerr)
	}
	got := m.Err()
	if m.Kind != Failed || exit.CodeOf(got) != exit.Trust || !strings.HasPrefix(got.Error(), "mount a.b: \xff xxx") || len(exit.HintsOf(got)) != 2 {
		t.Errorf("%d %.40q %q", exit.CodeOf(got), got, exit.HintsOf(got))
	}
}

func pair(t *testing.T) (outer, inner int) {
	t.Helper()
	outer, inner, err := Socket()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(outer); unix.Close(inner) })
	return outer, inner
}

// Send loses what a peer does not read; SendLast waits for it; both end when it is gone.
func TestSendToBusyPeer(t *testing.T) {
	outer, inner := pair(t)
	sent := 0
	for ; Send(inner, Message{Kind: Stopped, Signal: sent}) == nil; sent++ {
		if sent > 1<<20 {
			t.Fatal("the socket takes everything")
		}
	}
	if err := Send(inner, Message{Kind: Running}); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("Send = %v; want EAGAIN", err)
	}
	done := make(chan error, 1)
	go func() { done <- SendLast(inner, Message{Kind: Ended, Status: 7}) }()
	for i := range sent {
		if m, err := Receive(outer); err != nil || m.Signal != i {
			t.Fatalf("message %d: %+v, %v", i, m, err)
		}
	}
	if m, err := Receive(outer); err != nil || m.Kind != Ended || m.Status != 7 {
		t.Errorf("last message %+v, %v", m, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for Send(inner, Message{Kind: Stopped}) == nil {
	}
	go func() { done <- SendLast(inner, Message{Kind: Ended}) }()
	time.Sleep(10 * time.Millisecond) // usually it waits by now; else it finds nobody
	unix.Shutdown(outer, unix.SHUT_RDWR)
	if err := <-done; !errors.Is(err, unix.EPIPE) {
		t.Errorf("SendLast to a peer that is gone = %v; want EPIPE", err)
	}
	if _, err := Receive(outer); err != io.EOF && err != nil {
		t.Logf("Receive after the end: %v", err)
	}
}
