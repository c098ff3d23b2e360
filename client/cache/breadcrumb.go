package cache

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cvmfsbundle/cvmfsbundle/client/trust"
)

// breadcrumbName returns the name of a repository's breadcrumb.
func breadcrumbName(fqrn string) (string, error) {
	if fqrn == "" || strings.ContainsAny(fqrn, "/\x00") {
		return "", fmt.Errorf("repository name %q", fqrn)
	}
	return "cvmfschecksum." + fqrn, nil
}

// Breadcrumb returns the newest known state of a repository. Errors match
// fs.ErrNotExist when nothing is known and [trust.ErrBreadcrumb] when the file is
// damaged.
func (c *Cache) Breadcrumb(fqrn string) (trust.Breadcrumb, error) {
	name, err := breadcrumbName(fqrn)
	if err != nil {
		return trust.Breadcrumb{}, err
	}
	f, err := c.open(name, unix.O_RDONLY)
	if err != nil {
		return trust.Breadcrumb{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 200))
	if err != nil {
		return trust.Breadcrumb{}, err
	}
	return trust.ParseBreadcrumb(string(data))
}

// SetBreadcrumb records the newest state of a repository, after its root catalog
// has been loaded. One without hash or time is refused, because nobody would read it.
func (c *Cache) SetBreadcrumb(fqrn string, b trust.Breadcrumb) error {
	name, err := breadcrumbName(fqrn)
	if err != nil {
		return err
	}
	if _, err := trust.ParseBreadcrumb(b.String()); err != nil {
		return fmt.Errorf("write breadcrumb: %w", err)
	}
	if err := c.replace(name, b.String()); err != nil {
		return fmt.Errorf("write breadcrumb: %w", err)
	}
	return nil
}
