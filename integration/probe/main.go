// Command probe is what integration tests run as the user's command where no other
// program can be used: it is static and needs no shell, PATH or libraries.
//
//	probe WORD...
//
// Words: "status FIELD" prints a line of /proc/self/status; "fds" the open descriptors
// above 2; "nofile" the limit of open files; "env NAME" a variable; "args ..." its
// arguments, quoted; "sleep"; "cat FILE"; "ls DIR"; "rm DIR ..." and then "ls DIR";
// "count FILE SIGNALS..." counts signals into a file until SIGTERM has come; "exit N";
// "kill N" ends by that signal.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/runtime/inherit"
	"github.com/cvmfsbundle/cvmfsbundle/runtime/rawsig"
)

func main() {
	state := inherit.Read()
	os.Exit(run(state, os.Args[1:]))
}

func run(state inherit.State, args []string) int {
	for len(args) > 0 {
		word := args[0]
		args = args[1:]
		one := func() string {
			if len(args) == 0 {
				return ""
			}
			s := args[0]
			args = args[1:]
			return s
		}
		switch word {
		case "inherited":
			fmt.Printf("known %v ignored %#x mask %#x nofile %d/%d\n", state.Known, state.Ignored, state.Mask, state.NoFile.Cur, state.NoFile.Max)
		case "status":
			status(one())
		case "fds":
			fds()
		case "env":
			fmt.Printf("%q\n", os.Getenv(one()))
		case "args":
			fmt.Printf("%q\n", args)
			return 0
		case "ids":
			fmt.Println(os.Getuid(), os.Getgid(), syscall.Umask(0))
		case "cwd":
			dir, err := os.Getwd()
			fmt.Println(dir, err)
		case "cat":
			data, err := os.ReadFile(one())
			os.Stdout.Write(data)
			if err != nil {
				fmt.Println(err)
			}
		case "ls":
			ls(one())
		case "rm":
			if err := os.RemoveAll(one()); err != nil {
				fmt.Println(err)
			}
		case "mkdir":
			fmt.Println(os.Mkdir(one(), 0o755))
		case "write":
			fmt.Println(os.WriteFile(one(), []byte("x"), 0o644))
		case "sleep":
			ms, _ := strconv.Atoi(one())
			time.Sleep(time.Duration(ms) * time.Millisecond)
		case "wait": // for a file to appear
			for name := one(); ; time.Sleep(5 * time.Millisecond) {
				if _, err := os.Stat(name); err == nil {
					break
				}
			}
		case "trace":
			pid, _ := strconv.Atoi(one())
			fmt.Println(unix.PtraceAttach(pid))
		case "umount":
			fmt.Println(unix.Unmount(one(), unix.MNT_DETACH))
		case "daemon": // leave a process behind that holds everything
			daemon()
		case "count":
			count(one())
		case "exit":
			n, _ := strconv.Atoi(one())
			return n
		case "kill":
			n, _ := strconv.Atoi(one())
			rawsig.Die(unix.Signal(n))
		default:
			fmt.Fprintf(os.Stderr, "probe: unknown word %q\n", word)
			return 99
		}
	}
	return 0
}

func status(field string) {
	data, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(data)) {
		if strings.HasPrefix(line, field+":") {
			fmt.Print(line)
		}
	}
}

func fds() {
	ents, _ := os.ReadDir("/proc/self/fd")
	for _, e := range ents {
		n, _ := strconv.Atoi(e.Name())
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && n > 2 {
			if flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
				fmt.Println(n, target)
			}
		}
	}
}

func ls(dir string) {
	ents, err := os.ReadDir(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	names := make([]string, 0, len(ents))
	for _, e := range ents {
		names = append(names, strconv.Quote(e.Name()))
	}
	sort.Strings(names)
	fmt.Println(strings.Join(names, " "))
}

func daemon() {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"probe", "sleep", "600000"},
		&syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		fmt.Println("daemon:", pid, err)
	}
}

// count writes how often each signal came, sorted, one line each, after SIGTERM.
func count(file string) {
	sigs := make(chan os.Signal, 1000)
	signal.Notify(sigs, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGWINCH, unix.SIGCONT, unix.SIGALRM)
	n := map[string]int{}
	os.WriteFile(file+".ready", nil, 0o644)
	for sig := range sigs {
		n[unix.SignalName(sig.(syscall.Signal))]++
		var lines []string
		for name, c := range n {
			lines = append(lines, fmt.Sprintf("%s %d", name, c))
		}
		sort.Strings(lines)
		os.WriteFile(file+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o644)
		os.Rename(file+".new", file)
		if sig == unix.SIGTERM {
			time.Sleep(300 * time.Millisecond) // a second one would come now
			if len(sigs) == 0 {
				return
			}
		}
	}
}
