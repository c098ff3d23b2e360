package readonlytest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// contentChecks are about what is in files.
func contentChecks() []Check {
	return []Check{
		{"content: sequential", sequential},
		{"content: random pieces", func(dir string) error { return random(dir, 1, 200) }},
		{"content: many readers at once", readers},
		{"content: the end of a file", ends},
		{"content: empty file", func(dir string) error {
			data, err := os.ReadFile(filepath.Join(dir, Empty))
			if err != nil || len(data) != 0 {
				return fmt.Errorf("%d bytes, %v", len(data), err)
			}
			return nil
		}},
		{"content: mmap", mapped},
		{"content: execute", execute},
		{"content: copy_file_range and sendfile", copied},
		{"content: open file is the same through a second descriptor", twice},
		{"content: locks", locks},
	}
}

func sequential(dir string) error {
	for name, size := range map[string]int64{Big: BigSize, Whole: WholeSize} {
		f, err := os.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		defer f.Close()
		var off int64
		buf := make([]byte, 77_777)
		for {
			n, err := f.Read(buf)
			for i, b := range buf[:n] {
				if b != Pattern(off+int64(i)) {
					return fmt.Errorf("%s: wrong byte at %d", name, off+int64(i))
				}
			}
			off += int64(n)
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
		}
		if off != size {
			return fmt.Errorf("%s: %d bytes, want %d", name, off, size)
		}
	}
	return nil
}

func random(dir string, seed uint64, rounds int) error {
	r := rand.New(rand.NewPCG(seed, 0))
	f, err := os.Open(filepath.Join(dir, Big))
	if err != nil {
		return err
	}
	defer f.Close()
	for range rounds {
		off, n := r.Int64N(BigSize), r.Int64N(200_000)+1
		buf := make([]byte, n)
		got, err := f.ReadAt(buf, off)
		want := min(n, BigSize-off)
		if int64(got) != want || err != nil && err != io.EOF {
			return fmt.Errorf("read %d at %d: %d bytes, %v", n, off, got, err)
		}
		for i, b := range buf[:got] {
			if b != Pattern(off+int64(i)) {
				return fmt.Errorf("wrong byte at %d", off+int64(i))
			}
		}
	}
	return nil
}

func readers(dir string) error {
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = random(dir, uint64(i+10), 30) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func ends(dir string) error {
	f, err := os.Open(filepath.Join(dir, Whole))
	if err != nil {
		return err
	}
	defer f.Close()
	buf := make([]byte, 100)
	for off, want := range map[int64]int{WholeSize - 1: 1, WholeSize: 0, WholeSize + 1: 0, 1 << 40: 0, WholeSize - 100: 100} {
		if n, err := f.ReadAt(buf, off); n != want || err != nil && err != io.EOF {
			return fmt.Errorf("read at %d: %d bytes, %v; want %d", off, n, err, want)
		}
	}
	if end, err := f.Seek(0, io.SeekEnd); err != nil || end != WholeSize {
		return fmt.Errorf("end is at %d, %v", end, err)
	}
	if hole, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_HOLE); err != nil || hole != WholeSize {
		return fmt.Errorf("first hole is at %d, %v", hole, err)
	}
	return nil
}

func mapped(dir string) error {
	f, err := os.Open(filepath.Join(dir, Big))
	if err != nil {
		return err
	}
	defer f.Close()
	m, err := unix.Mmap(int(f.Fd()), 0, BigSize, unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	defer unix.Munmap(m)
	for off := BigSize - 1; off > 0; off -= 4099 {
		if m[off] != Pattern(int64(off)) {
			return fmt.Errorf("wrong byte at %d", off)
		}
	}
	return nil
}

func execute(dir string) error {
	out, err := exec.Command(filepath.Join(dir, Tool)).Output()
	if err != nil || string(out) != "ran\n" {
		return fmt.Errorf("the tool wrote %q, %v", out, err)
	}
	return nil
}

func copied(dir string) error {
	src, err := os.Open(filepath.Join(dir, Whole))
	if err != nil {
		return err
	}
	defer src.Close()
	tmp, err := os.CreateTemp("", "readonlytest")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := io.Copy(tmp, src); err != nil { // copy_file_range, where the kernel can
		return err
	}
	off := int64(0)
	for sent := 0; sent < WholeSize; {
		n, err := unix.Sendfile(int(tmp.Fd()), int(src.Fd()), &off, WholeSize)
		if err != nil || n == 0 {
			return fmt.Errorf("sendfile: %d bytes, %v", n, err)
		}
		sent += n
	}
	data, err := os.ReadFile(tmp.Name())
	if err != nil || len(data) != 2*WholeSize {
		return fmt.Errorf("%d bytes, %v", len(data), err)
	}
	for i, b := range data {
		if b != Pattern(int64(i%WholeSize)) {
			return fmt.Errorf("wrong byte at %d", i)
		}
	}
	return nil
}

func twice(dir string) error {
	for range 50 {
		data, err := os.ReadFile(filepath.Join(dir, File))
		if err != nil || string(data) != FileText {
			return fmt.Errorf("%q, %v", data, err)
		}
	}
	return nil
}

func locks(dir string) error {
	f, err := os.Open(filepath.Join(dir, File))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return fmt.Errorf("flock: %w", err)
	}
	lock := unix.Flock_t{Type: unix.F_RDLCK}
	if err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &lock); err != nil {
		return fmt.Errorf("read lock: %w", err)
	}
	return nil
}
