package testrepo

import (
	"bytes"
	"crypto/rsa"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Published is one published revision: what a test must know of it. The tree it was
// made of can be asked for ([Published.Objects], [Published.Expected]); later
// changes of the Repo do not reach it.
type Published struct {
	FQRN         string
	Dir          string // the tree that a server shows as /cvmfs/FQRN
	ExternalDir  string
	PublicKeyPEM []byte // the master key, as a key file holds it
	Revision     uint64
	Time         time.Time
	Root         Object            // the root catalog; Root.Hash is what the manifest says
	Catalogs     map[string]Object // by mount point: "" is the root, "/a/b" a nested one
	Certificate  Object
	Fingerprint  string // of the certificate, as whitelist and blacklist write it

	root *inode
}

// publication is a revision being published.
type publication struct {
	repo   Repo // a copy, with the defaults filled in
	dir    string
	store  *store
	out    *Published
	linked map[*inode]bool      // hard-linked files whose objects are written
	home   map[*inode]*database // the catalog of hard-linked files

	certDER           []byte
	history, metainfo Object

	breaks
}

// Publish writes the repository into dir as a Stratum 1 holds it. Objects of earlier
// revisions that lie there stay. Breaks make things wrong on purpose.
func (r *Repo) Publish(dir string, broken ...Break) (*Published, error) {
	p := &publication{repo: *r, dir: dir, linked: map[*inode]bool{}, home: map[*inode]*database{}, breaks: newBreaks()}
	p.defaults()
	p.out = &Published{
		FQRN: r.FQRN, Dir: dir, ExternalDir: r.ExternalDir, PublicKeyPEM: p.repo.Keys.PublicPEM(), Revision: p.repo.Revision,
		Time: p.repo.Time, Catalogs: map[string]Object{}, root: r.root.clone(map[*inode]*inode{}),
	}
	for _, b := range broken {
		b(p)
	}
	var err error
	if p.store, err = newStore(dir, p.repo.Hash); err != nil {
		return nil, err
	}
	if err := p.run(); err != nil {
		return nil, fmt.Errorf("publish %s: %w", r.FQRN, err)
	}
	return p.out, nil
}

func (p *publication) defaults() {
	r := &p.repo
	if r.TTL == 0 {
		r.TTL = 240 * time.Second
	}
	if r.Revision == 0 {
		r.Revision = 1
	}
	if r.Time.IsZero() {
		r.Time = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if r.Expires.IsZero() {
		r.Expires = time.Date(2040, 7, 31, 0, 0, 0, 0, time.UTC)
	}
	if r.Keys == nil {
		r.Keys = SeededKeys(1)
	}
}

func (p *publication) run() error {
	_, err := p.catalog("", p.out.root)
	if err != nil {
		return err
	}
	p.out.Root = p.out.Catalogs[""]
	if err := p.certificate(); err != nil {
		return err
	}
	if p.repo.Tags != nil {
		if p.history, err = p.writeHistory(); err != nil {
			return err
		}
	}
	if p.repo.Metainfo != "" {
		if p.metainfo, err = p.store.put(strings.NewReader(p.repo.Metainfo), 'M', false); err != nil {
			return err
		}
	}
	if err := p.sign(); err != nil {
		return err
	}
	if p.repo.AltPath {
		for _, o := range []Object{p.out.Root, p.out.Certificate} {
			if err := p.altCopy(o); err != nil {
				return err
			}
		}
	}
	for _, f := range p.after {
		if err := f(p.out); err != nil {
			return err
		}
	}
	return nil
}

func (p *publication) certificate() error {
	var err error
	if p.certDER, err = certificate(p.repo.FQRN, p.repo.Keys.Certificate); err != nil {
		return err
	}
	p.out.Fingerprint = p.repo.Hash.fingerprint(p.certDER)
	p.out.Certificate, err = p.store.put(bytes.NewReader(certificatePEM(p.certDER)), 'X', false)
	return err
}

// sign writes whitelist and manifest.
func (p *publication) sign() error {
	w := &whitelist{created: p.repo.Time, expires: p.repo.Expires, fqrn: p.repo.FQRN, fingerprints: []string{p.out.Fingerprint}}
	for _, edit := range p.whitelistEdits {
		edit(w)
	}
	m := p.newManifest(p.out.Root, p.out.Certificate)
	for _, edit := range p.manifestEdits {
		edit(&m)
	}
	list, err := letter(p.repo.Hash, w.lines(), signWhitelist(p.key(p.whitelistKey, p.repo.Keys.Master)))
	if err != nil {
		return err
	}
	text, err := letter(p.repo.Hash, m, signManifest(p.key(p.manifestKey, p.repo.Keys.Certificate)))
	if err != nil {
		return err
	}
	if err := replaceFile(filepath.Join(p.dir, ".cvmfswhitelist"), list); err != nil {
		return err
	}
	return replaceFile(filepath.Join(p.dir, ".cvmfspublished"), text)
}

func (p *publication) key(k, normal *rsa.PrivateKey) *rsa.PrivateKey {
	if k != nil {
		return k
	}
	return normal
}

// altCopy writes the copy of an object that lies outside data/.
func (p *publication) altCopy(o Object) error {
	data, err := os.ReadFile(filepath.Join(p.dir, o.Path()))
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(p.dir, ".cvmfsalt-"+o.Hash+string(o.Kind)), data)
}

// replaceFile writes a file that a running server may be reading.
func replaceFile(path string, data []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, data, 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// Objects returns the objects of the regular file at path: one, or its chunks in
// order; nil when there is no such file.
func (p *Published) Objects(path string) []Object {
	r := Repo{root: p.root}
	if n := r.lookup(clean(path)); n != nil {
		return n.objects
	}
	return nil
}
