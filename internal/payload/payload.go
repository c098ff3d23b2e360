// Package payload is the bundle file: how it is written, read and checked.
//
//	stub ELF | payload | skip header (8 bytes) | manifest (JSON) | trailer (64 bytes)
//
// docs/format.md has the bytes.
//
// # Terms
//
//   - trailer: the last 64 bytes. Says where the other parts are and carries the ID.
//   - ID: the SHA-256 of the manifest. Through the manifest's digests it stands for
//     every byte of the file, the stub's included.
//   - manifest: what is inside: packages, file table, frame table.
//   - payload: zstd frames. Decoded one after the other they are one tar stream.
//   - frame: one zstd frame, which holds whole tar entries.
//
// # What a reader may rely on
//
// A [Bundle] that [Open] returns has a manifest that matches its ID and whose
// offsets, lengths, paths and link targets have all been checked: frames lie one
// after the other exactly where the payload is; each file's directory stands
// before it in the file table and is a directory; no link leads out of the tree.
// The tar stream is then compared with the table entry by entry, in order, so it
// has nothing to add: [Bundle.Unpack] writes no byte to a place the table does not
// name and returns nil only when every digest was right.
//
// # Errors
//
// Damage wraps [ErrCorrupt], a file that is no bundle wraps [ErrNotBundle]; both
// carry [exit.Corrupt]. Failures to read the bundle or to write the tree wrap
// neither.
//
// The stub imports this package, so it imports little. The linker leaves the
// writing half (and the zstd encoder) out of programs that do not call [Write].
package payload

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cvmfsbundle/cvmfsbundle/internal/exit"
)

var (
	// ErrCorrupt is wrapped by every error that means that the bundle's bytes are
	// not those the builder wrote.
	ErrCorrupt = errors.New("the bundle is damaged")
	// ErrNotBundle is wrapped when a file does not end in a bundle's trailer, or
	// in that of a format this program does not know.
	ErrNotBundle = errors.New("not a bundle")
)

// Digest is a SHA-256. It reads and writes as 64 lower-case hexadecimal digits.
type Digest [sha256.Size]byte

// ID names a bundle: the SHA-256 of its manifest.
type ID = Digest

// String returns the digest in hexadecimal.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// MarshalText implements encoding.TextMarshaler.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) != 2*len(d) {
		return fmt.Errorf("digest %q does not have %d digits", clip(text), 2*len(d))
	}
	if _, err := hex.Decode(d[:], text); err != nil {
		return fmt.Errorf("digest %q: %w", text, err)
	}
	return nil
}

// ParseID reads an ID as [Digest.String] writes it.
func ParseID(s string) (ID, error) {
	var id ID
	err := id.UnmarshalText([]byte(s))
	return id, err
}

func clip(text []byte) []byte { return text[:min(len(text), 80)] }

func corrupt(format string, args ...any) error {
	return exit.Errorf(exit.Corrupt, "%w: %w", ErrCorrupt, fmt.Errorf(format, args...)).
		Hint("copy the file again from where it came from, and compare its size and sha256sum with the original's")
}

func notBundle(format string, args ...any) error {
	return exit.Errorf(exit.Corrupt, "%w: %w", ErrNotBundle, fmt.Errorf(format, args...)).
		Hint("if it should be one, its end is missing or changed (stripped, cut short, edited): copy the file again")
}
