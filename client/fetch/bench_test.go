package fetch

import (
	"strings"
	"testing"

	"github.com/cvmfsbundle/cvmfsbundle/client/object"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

func BenchmarkObject(b *testing.B) {
	r := testrepo.New(fqrn)
	text := strings.Repeat("some text that compresses well enough, line after line\n", 1<<15)
	r.File("text", text)
	r.File("random", "", testrepo.Content(testrepo.Random(1, 16<<20)))
	pub, err := r.Publish(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	server := testrepo.Serve(b, pub)
	for _, name := range []string{"text", "random"} {
		b.Run(name, func(b *testing.B) {
			s := newSetup(b, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
			h := hashOf(b, pub.Objects(name)[0])
			b.ReportAllocs()
			for b.Loop() {
				if err := s.cache.Remove(h); err != nil {
					b.Fatal(err)
				}
				f, err := s.Object(b.Context(), h, object.File, object.Zlib, -1, "file")
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(f.Size())
				f.Close()
			}
		})
	}
	b.Run("cached", func(b *testing.B) {
		s := newSetup(b, fqrn, pub.PublicKeyPEM, "", nil, server.ConfigURL())
		h := hashOf(b, pub.Objects("text")[0])
		b.ReportAllocs()
		for b.Loop() {
			f, err := s.Object(b.Context(), h, object.File, object.Zlib, int64(len(text)), "file")
			if err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
}
