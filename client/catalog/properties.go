package catalog

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/cvmfsbundle/cvmfsbundle/client/catalog/sqlite"
	"github.com/cvmfsbundle/cvmfsbundle/client/object"
)

// defaultTTL is that of catalogs which name none (CVMFS, catalog.h).
const defaultTTL = 240 * time.Second

// Properties are what a catalog says about itself.
type Properties struct {
	Schema           float64 // 1.0 if the catalog does not say
	SchemaRevision   int64
	Revision         uint64        // of the repository; nested catalogs count on their own
	RootPrefix       string        // the path under which the rows were written
	TTL              time.Duration // until the client looks for a newer revision; 240 s if the catalog does not say
	Volatile         bool          // the repository asks to be evicted from caches first
	VOMSAuthz        string        // who may read a secure repository, "" for everybody
	LastModified     time.Time     // zero if the catalog does not say
	PreviousRevision object.Hash   // root hash of the revision before, null if the catalog does not say
}

// readProperties reads the table properties. Unknown keys are left alone.
func readProperties(db *sqlite.DB) (Properties, error) {
	p := Properties{Schema: 1.0, TTL: defaultTTL}
	t := db.Table("properties")
	if t == nil {
		return p, nil
	}
	key, value := t.Column("key"), t.Column("value")
	for row, err := range t.Rows() {
		if err != nil {
			return p, err
		}
		k, err := row.Bytes(key)
		if err != nil {
			return p, err
		}
		v, err := row.Bytes(value)
		if err != nil {
			return p, err
		}
		if err := p.set(string(k), v); err != nil {
			return p, fmt.Errorf("%w: property %q: %w", ErrDamaged, k, err)
		}
	}
	if !p.readable() {
		return p, fmt.Errorf("%w: catalog schema %g", ErrUnsupported, p.Schema)
	}
	return p, nil
}

// readable reports whether the schema version is one we read (CVMFS, catalog_sql.cc).
func (p *Properties) readable() bool {
	is := func(v float64) bool { return math.Abs(p.Schema-v) < 0.0005 }
	return p.Schema > 0 && p.Schema < 2.0-0.0005 || is(2.4) || is(2.5)
}

func (p *Properties) set(key string, value []byte) (err error) {
	switch key {
	case "schema":
		p.Schema, err = strconv.ParseFloat(string(value), 64)
	case "schema_revision":
		p.SchemaRevision, err = strconv.ParseInt(string(value), 10, 64)
	case "revision":
		p.Revision, err = strconv.ParseUint(string(value), 10, 64)
	case "root_prefix":
		p.RootPrefix = cstring(value)
		if r := p.RootPrefix; r != "" && (r[0] != '/' || strings.HasSuffix(r, "/")) {
			err = fmt.Errorf("malformed path %q", r)
		}
	case "TTL":
		var s uint64
		s, err = strconv.ParseUint(string(value), 10, 32)
		p.TTL = time.Duration(s) * time.Second
	case "volatile":
		p.Volatile = len(value) > 0 && string(value) != "0"
	case "voms_authz":
		p.VOMSAuthz = string(value)
	case "last_modified":
		var s int64
		if s, err = strconv.ParseInt(string(value), 10, 64); err == nil {
			p.LastModified = time.Unix(s, 0)
		}
	case "previous_revision":
		if len(value) > 0 {
			p.PreviousRevision, err = object.Parse(string(value))
		}
	}
	return err
}
