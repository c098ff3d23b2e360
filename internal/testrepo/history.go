package testrepo

import (
	"errors"
	"os"
	"strconv"
	"time"
)

// A Tag names a revision in the history database. Of is nil for the revision that
// is being published.
type Tag struct {
	Name        string
	Of          *Published
	Description string
	Time        time.Time // zero: the revision's
}

// historySchema is schema 1.0, revision 3 (CVMFS, history_sql.cc).
var historySchema = []string{
	"CREATE TABLE properties (key TEXT, value TEXT, CONSTRAINT pk_properties PRIMARY KEY (key))",
	"CREATE TABLE branches (branch TEXT, parent TEXT, initial_revision INTEGER,  CONSTRAINT pk_branch PRIMARY KEY (branch),   FOREIGN KEY (parent) REFERENCES branches (branch),   CHECK ((branch <> '') OR (parent IS NULL)),   CHECK ((branch = '') OR (parent IS NOT NULL)))",
	"CREATE TABLE tags (name TEXT, hash TEXT, revision INTEGER,   timestamp INTEGER, channel INTEGER, description TEXT, size INTEGER,   branch TEXT, CONSTRAINT pk_tags PRIMARY KEY (name),   FOREIGN KEY (branch) REFERENCES branches (branch))",
	"CREATE TABLE recycle_bin (hash TEXT, flags INTEGER,   CONSTRAINT pk_hash PRIMARY KEY (hash))",
}

// writeHistory writes the history database with the repository's tags.
func (p *publication) writeHistory() (o Object, err error) {
	d, err := newDatabase("", historySchema)
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	for _, kv := range [][2]string{{"schema", "1.0"}, {"schema_revision", "3"}, {"fqrn", p.repo.FQRN}} {
		if err := d.exec("INSERT INTO properties VALUES (?,?)", kv[0], kv[1]); err != nil {
			return o, err
		}
	}
	if err := d.exec("INSERT INTO branches VALUES ('',NULL,0)"); err != nil {
		return o, err
	}
	for _, t := range p.repo.Tags {
		of, at := t.Of, t.Time
		if of == nil {
			of = p.out
		}
		if at.IsZero() {
			at = of.Time
		}
		err := d.exec("INSERT INTO tags VALUES (?,?,?,?,0,?,?,'')", t.Name, of.Root.Hash,
			strconv.FormatUint(of.Revision, 10), at.Unix(), t.Description, of.Root.Size)
		if err != nil {
			return o, err
		}
	}
	if err := d.commit(nil); err != nil {
		return o, err
	}
	f, err := os.Open(d.path)
	if err != nil {
		return o, err
	}
	defer f.Close()
	return p.store.put(f, 'H', false)
}
