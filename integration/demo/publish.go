package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cvmfsbundle/cvmfsbundle/internal/rpmrepo"
	"github.com/cvmfsbundle/cvmfsbundle/internal/testrepo"
)

// Names of the example. Those of the example.org domain belong to nobody.
const (
	fqrn       = "hello.example.org"
	configFQRN = "config.example.org"
	configRPM  = "cvmfs-config-demo"
	readme     = "hello from a repository that was signed a moment ago\n"
	tamperFile = "data/tampered"
)

// content describes the example repository.
func content() *testrepo.Repo {
	r := testrepo.New(fqrn)
	r.Time = time.Now().Truncate(time.Second)
	r.Expires = r.Time.Add(30 * 24 * time.Hour)
	r.File("README", readme)
	r.File("bin/tool", "#!/bin/sh\necho tool\n", testrepo.Mode(0o755))
	r.File("bin/.hidden", "")
	r.Symlink("latest", "releases/2.0")
	r.Symlink("chosen", "releases/$(DEMO_RELEASE:-1.0)")
	for _, v := range []string{"1.0", "2.0"} {
		r.File("releases/"+v+"/a name with blanks, ümläuts and 'quotes'", "version "+v+"\n")
		r.Nested("releases/" + v)
	}
	r.File("data/words", "", testrepo.Content(testrepo.Words(1, 3_000_000)))
	r.File("data/chunked", "", testrepo.Content(testrepo.Random(2, 9_000_000)), testrepo.Chunked(2<<20))
	r.File("data/zeros", "", testrepo.Content(testrepo.Zeros(20_000_000)))
	r.File(tamperFile, "every byte of this file is checked\n")
	r.Hardlink("data/words-too", "data/words")
	r.File("data/with-attribute", "x\n", testrepo.XAttr("user.colour", "blue"))
	r.Nested("data")
	for i := range 200 {
		r.File(fmt.Sprintf("many/file-%03d", i), fmt.Sprintln(i))
	}
	return r
}

// publish makes and serves the example repository, and the configuration repository,
// which knows the other's key and server.
func (d *demo) publish(context.Context) error {
	start := time.Now()
	var keys, configKeys *testrepo.Keys
	var g errgroup.Group
	g.Go(func() (err error) { keys, err = testrepo.NewKeys(); return err })
	g.Go(func() (err error) { configKeys, err = testrepo.NewKeys(); return err })
	if err := g.Wait(); err != nil {
		return err
	}
	repo := content()
	repo.Keys = keys
	var err error
	if d.repo, err = d.serve(repo); err != nil {
		return err
	}
	d.say("publish", "%s: %d paths, %d catalogs, signed with fresh keys (%s)", fqrn, repo.Count(), len(d.repo.Catalogs), since(start))

	c := testrepo.New(configFQRN)
	c.Time, c.Expires, c.Keys = repo.Time, repo.Expires, configKeys
	c.File("etc/cvmfs/default.conf", "CVMFS_MAX_RETRIES=1\n")
	c.File("etc/cvmfs/domain.d/example.org.conf", "CVMFS_SERVER_URL="+d.server.ConfigURL()+"\nCVMFS_KEYS_DIR=/cvmfs/"+configFQRN+"/etc/cvmfs/keys/example.org\n")
	c.File("etc/cvmfs/keys/example.org/example.org.pub", string(d.repo.PublicKeyPEM))
	config, err := d.serve(c)
	if err != nil {
		return err
	}
	d.say("publish", "%s: the configuration repository: key and servers of the other", configFQRN)
	return d.configPackage(config)
}

func (d *demo) serve(r *testrepo.Repo) (*testrepo.Published, error) {
	p, err := r.Publish(filepath.Join(d.dir, "repositories", r.FQRN))
	if err == nil {
		d.server.Add(p.FQRN, p.Dir)
	}
	return p, err
}

// configPackage makes the RPM repository: one package, which names the configuration
// repository and holds its key.
func (d *demo) configPackage(config *testrepo.Published) error {
	text := func(path, data string) rpmrepo.File { return rpmrepo.File{Path: path, Data: []byte(data)} }
	dir := filepath.Join(d.dir, "rpms")
	err := rpmrepo.Write(dir, rpmrepo.Package{Name: configRPM, Compressor: "zstd", Files: []rpmrepo.File{
		text("/etc/cvmfs/default.d/50-demo.conf", "CVMFS_CONFIG_REPOSITORY="+configFQRN+"\nCVMFS_CONFIG_REPO_REQUIRED=yes\n"),
		text("/etc/cvmfs/config.d/"+configFQRN+".conf", "CVMFS_SERVER_URL="+d.server.ConfigURL()+"\nCVMFS_PUBLIC_KEY=/etc/cvmfs/keys/"+configFQRN+".pub\n"),
		text("/etc/cvmfs/keys/"+configFQRN+".pub", string(config.PublicKeyPEM)),
	}})
	if err != nil {
		return fmt.Errorf("RPM repository: %w", err)
	}
	d.server.AddPath("/rpms", dir)
	return nil
}

func (d *demo) packages(context.Context) error {
	d.say("serve", "an RPM repository with %s-1.0-1.noarch, and both repositories, at %s", configRPM, d.server.URL)
	return nil
}
