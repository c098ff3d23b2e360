package trust

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// DefaultKeysDir is where master keys are when nothing else is configured.
const DefaultKeysDir = "/etc/cvmfs/keys"

// maxFile bounds key and blacklist files.
const maxFile = 1 << 20

// Key is a master key and the file it came from.
type Key struct {
	Path string
	RSA  *rsa.PublicKey
}

// Keys are the master keys of a repository: any of them may have signed its
// whitelist.
type Keys []Key

// KeyPaths returns the files that hold the master keys: those of publicKey, a
// colon separated list (CVMFS_PUBLIC_KEY), when it is not empty; else every *.pub
// of keysDir (CVMFS_KEYS_DIR), sorted, and of [DefaultKeysDir] when that is empty
// too. Errors match [ErrKeys].
func KeyPaths(publicKey, keysDir string) ([]string, error) {
	if publicKey != "" {
		paths := slices.DeleteFunc(strings.Split(publicKey, ":"), func(p string) bool { return p == "" })
		if len(paths) > 0 {
			return paths, nil
		}
	}
	if keysDir == "" {
		keysDir = DefaultKeysDir
	}
	entries, err := os.ReadDir(keysDir)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeys, err)
	}
	var paths []string
	for _, e := range entries { // sorted by ReadDir
		if strings.HasSuffix(e.Name(), ".pub") {
			paths = append(paths, filepath.Join(keysDir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: no *.pub file in %q", ErrKeys, keysDir)
	}
	return paths, nil
}

// LoadKeys reads master keys. One that cannot be read or is no RSA key makes all
// of them unusable: a site that names a key wants it used. Errors match [ErrKeys].
func LoadKeys(paths []string) (Keys, error) {
	if len(paths) == 0 {
		return nil, fmt.Errorf("%w: none is configured", ErrKeys)
	}
	var keys Keys
	for _, p := range paths {
		data, err := readFile(p)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrKeys, err)
		}
		key, err := parseKey(data)
		if err != nil {
			return nil, fmt.Errorf("%w: %q: %w", ErrKeys, p, err)
		}
		keys = append(keys, Key{p, key})
	}
	return keys, nil
}

// parseKey reads the first PEM block, a SubjectPublicKeyInfo of an RSA key.
func parseKey(data []byte) (*rsa.PublicKey, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "PUBLIC KEY" {
		return nil, errors.New("no PEM public key")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	return rsaKey(key)
}

// Sizes of keys in bits. A key below is no proof; the time that one above takes
// grows with the square of its size, and a forger chooses it.
const (
	minKeyBits = 1024
	maxKeyBits = 16384
)

// rsaKey returns an RSA key that may be used.
func rsaKey(key any) (*rsa.PublicKey, error) {
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("key is %T, not RSA", key)
	}
	if bits := k.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return nil, fmt.Errorf("RSA key of %d bits, %d to %d are accepted", bits, minKeyBits, maxKeyBits)
	}
	return k, nil
}

// readFile reads a small regular file. It never waits for a FIFO.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil {
		return nil, err
	} else if !fi.Mode().IsRegular() {
		return nil, &os.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &os.PathError{Op: "read", Path: path, Err: errors.New("file is too large")}
	}
	return data, err
}
