package vm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	kernelVariable = "ALPS_VM_KERNEL"

	// firstSchedExt is where the search for the oldest kernel with sched_ext
	// begins: it came in Linux 6.12, but Debian's 6.12 is built without it.
	firstSchedExt = "6.13"

	// maxTries bounds how many kernels are fetched in search of one with
	// sched_ext.
	maxTries = 3

	// listAge is how long the list of the kernels served is good for.
	listAge = 24 * time.Hour
)

// Kernel returns the path of a kernel's vmlinuz, which is fetched if need be.
// The name is one of
//
//	newest, oldest  of Debian's cloud kernels that have sched_ext ("" is newest)
//	6.1, 6.18, …    the newest that is served of a version or series
//	a path          of a vmlinuz, taken as it is; it has a slash
//
// $ALPS_VM_KERNEL, the path of a vmlinuz, stands for every name. What it
// fetches it tells on standard error.
func Kernel(ctx context.Context, name string) (string, error) {
	if p := os.Getenv(kernelVariable); p != "" {
		return existing(p)
	}
	if strings.Contains(name, "/") {
		return existing(name)
	}
	s, err := newStore()
	if err != nil {
		return "", err
	}
	return s.kernel(ctx, cmp.Or(name, "newest"))
}

// Kernels lists the kernels that are served or cached, the oldest first.
func Kernels(ctx context.Context) ([]Served, error) {
	s, err := newStore()
	if err != nil {
		return nil, err
	}
	var list []Served
	err = s.locked(ctx, func() error {
		list, err = s.list(ctx)
		return err
	})
	return list, err
}

func existing(path string) (string, error) {
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("looking for the kernel: %w", err)
	}
	return path, nil
}

// source is where a store gets packages from: apt, save in tests.
type source interface {
	update(ctx context.Context) error
	madison(ctx context.Context) ([]byte, error)
	download(ctx context.Context, dir string, packages ...string) ([]string, error)
}

// store is the cache of kernels and of busybox: dir/RELEASE/{vmlinuz,config},
// dir/busybox, and dir/served, the list of what there is.
type store struct {
	dir    string
	source source
	log    io.Writer
	unpack func(ctx context.Context, deb string, pick func(name string) string) error

	renewed bool // whether the list has been asked for since the store was opened
}

func newStore() (*store, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cache, "kernels")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	return &store{dir: dir, source: apt{dir: filepath.Join(cache, "apt")}, log: os.Stderr, unpack: unpack}, nil
}

// locked runs f while no other process fetches.
func (s *store) locked(ctx context.Context, f func() error) error {
	const pause = 100 * time.Millisecond
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close() // which unlocks
	for {
		err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f()
		}
		if err != syscall.EWOULDBLOCK {
			return fmt.Errorf("locking %s: %w", lock.Name(), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (s *store) kernel(ctx context.Context, name string) (vmlinuz string, err error) {
	err = s.locked(ctx, func() error {
		vmlinuz, err = s.choose(ctx, name)
		var gone *fetchError
		if errors.As(err, &gone) && ctx.Err() == nil && !s.renewed {
			// The list may be of this morning, and the version replaced since.
			if s.renew(ctx) == nil {
				vmlinuz, err = s.choose(ctx, name)
			}
		}
		return err
	})
	return vmlinuz, err
}

func (s *store) choose(ctx context.Context, name string) (string, error) {
	list, err := s.list(ctx)
	if err != nil {
		return "", err
	}
	candidates, needSchedExt := candidates(list, name)
	if len(candidates) == 0 {
		return "", fmt.Errorf("no kernel %q: neither cached nor served by %s; see alps-vm kernel --list", name, mirror())
	}
	return s.first(ctx, name, candidates, needSchedExt)
}

// fetchError says that a kernel of the list could not be had.
type fetchError struct {
	version string
	err     error
}

func (e *fetchError) Error() string { return "fetching kernel " + e.version + ": " + e.err.Error() }
func (e *fetchError) Unwrap() error { return e.err }

// first returns the first candidate that can be had and has sched_ext if
// needed. Candidates that cannot be had are passed over only for cached ones.
func (s *store) first(ctx context.Context, name string, candidates []Served, needSchedExt bool) (string, error) {
	var fetchErr error
	tries := 0
	for _, k := range candidates {
		if !k.Cached {
			if fetchErr != nil || tries == maxTries {
				continue
			}
			tries++
			if err := s.fetch(ctx, k); err != nil {
				fetchErr = &fetchError{k.Version, err}
				continue
			}
		}
		dir := filepath.Join(s.dir, k.Release)
		if needSchedExt {
			has, err := configHas(filepath.Join(dir, "config"), "CONFIG_SCHED_CLASS_EXT=y")
			if err != nil {
				return "", err
			}
			if !has {
				continue
			}
		}
		if fetchErr != nil {
			fmt.Fprintf(s.log, "%v; using the cached %s as %s\n", fetchErr, k.Release, name)
		}
		return filepath.Join(dir, "vmlinuz"), nil
	}
	if fetchErr != nil {
		return "", fetchErr
	}
	return "", fmt.Errorf("no kernel with sched_ext among the first %d for %q; set %s to the path of one", tries, name, kernelVariable)
}

// list returns the kernels served and cached by ascending version. The list of
// the kernels served is renewed when it is old; if that is not possible, the
// old one serves on, and if there is none, the cache alone.
func (s *store) list(ctx context.Context) ([]Served, error) {
	file := s.servedFile()
	info, err := os.Stat(file)
	if err != nil || time.Since(info.ModTime()) > listAge {
		if err := s.renew(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if list, _ := s.merge(nil); info == nil && len(list) == 0 {
				return nil, fmt.Errorf("no kernel to be had: %w", err)
			}
			fmt.Fprintf(s.log, "looking for kernels: %v\n", err)
			// Not again at each run: a dead network takes its time to say so.
			now := time.Now()
			_ = os.Chtimes(file, now, now)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return s.merge(parseMadison(b))
}

func (s *store) servedFile() string { return filepath.Join(s.dir, "served") }

func (s *store) renew(ctx context.Context) error {
	s.renewed = true
	fmt.Fprintln(s.log, "fetching Debian's package lists")
	updateErr := s.source.update(ctx)
	lines, err := s.source.madison(ctx)
	if updateErr != nil && len(parseMadison(lines)) == 0 {
		return updateErr
	}
	if err != nil {
		return err
	}
	if updateErr != nil {
		fmt.Fprintln(s.log, updateErr)
	}
	if err := os.WriteFile(s.servedFile()+".new", lines, 0o644); err != nil {
		return err
	}
	return os.Rename(s.servedFile()+".new", s.servedFile())
}

// merge marks what is cached, adds what is cached only, and sorts.
func (s *store) merge(served []Served) ([]Served, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		version, err := os.ReadFile(filepath.Join(s.dir, e.Name(), "version"))
		if err != nil {
			continue
		}
		i := slices.IndexFunc(served, func(k Served) bool { return k.Release == e.Name() })
		if i < 0 {
			served = append(served, Served{Release: e.Name(), Version: string(version)})
			i = len(served) - 1
		}
		served[i].Cached = true
	}
	slices.SortFunc(served, func(a, b Served) int {
		return cmp.Or(compareVersions(a.Version, b.Version), strings.Compare(a.Release, b.Release))
	})
	return served, nil
}

// fetch puts a kernel into the cache: complete, or not at all.
func (s *store) fetch(ctx context.Context, k Served) error {
	fmt.Fprintf(s.log, "fetching Debian's kernel %s\n", k.Version)
	return s.install(ctx, k.Release, versioned(k.Packages, k.Version), func(dir, name string) string {
		switch base := path.Base(name); {
		case name == "boot/vmlinuz-"+k.Release, name == "usr/lib/modules/"+k.Release+"/vmlinuz":
			return filepath.Join(dir, "vmlinuz")
		case name == "boot/config-"+k.Release, base == "config" && path.Base(path.Dir(name)) == k.Release:
			return filepath.Join(dir, "config")
		case slices.Contains(virtioModules, strings.TrimSuffix(base, ".ko")) && strings.HasSuffix(base, ".ko"):
			return filepath.Join(dir, base)
		}
		return ""
	}, map[string]string{"version": k.Version}, "vmlinuz", "config")
}

// virtioModules are what a kernel needs for the ports, in the order in which
// they can be loaded. They are built into every kernel that has sched_ext; 6.1
// has them as modules.
var virtioModules = []string{
	"virtio", "virtio_ring", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci", "virtio_console",
}

func versioned(packages []string, version string) []string {
	list := make([]string, len(packages))
	for i, p := range packages {
		list[i] = p + "=" + version
	}
	return list
}

// install makes the cache's directory name from the files that pick takes out
// of packages, and from extra files; need names those without which it is no
// use.
func (s *store) install(ctx context.Context, name string, packages []string, pick func(dir, name string) string, extra map[string]string, need ...string) error {
	// Left by a run that was killed; the lock says that none is going on.
	old, _ := filepath.Glob(filepath.Join(s.dir, ".fetch-*"))
	for _, dir := range old {
		os.RemoveAll(dir)
	}
	tmp, err := os.MkdirTemp(s.dir, ".fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	debs, err := s.source.download(ctx, tmp, packages...)
	if err != nil {
		return err
	}
	dir := filepath.Join(tmp, "done")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, deb := range debs {
		if err := s.unpack(ctx, deb, func(name string) string { return pick(dir, name) }); err != nil {
			return err
		}
	}
	for file, content := range extra {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o644); err != nil {
			return err
		}
	}
	for _, file := range need {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			return fmt.Errorf("no %s in Debian's %s", file, strings.Join(packages, " "))
		}
	}
	return os.Rename(dir, filepath.Join(s.dir, name))
}

// busybox returns the path of a static busybox, fetched as the kernels are.
func busybox(ctx context.Context) (string, error) {
	s, err := newStore()
	if err != nil {
		return "", err
	}
	file := filepath.Join(s.dir, "busybox", "busybox")
	err = s.locked(ctx, func() error {
		if _, err := os.Stat(file); err == nil {
			return nil
		}
		if _, err := s.list(ctx); err != nil { // for the package lists
			return err
		}
		fmt.Fprintln(s.log, "fetching Debian's busybox-static")
		return s.install(ctx, "busybox", []string{"busybox-static"}, func(dir, name string) string {
			if path.Base(name) == "busybox" && path.Base(path.Dir(name)) == "bin" {
				return filepath.Join(dir, "busybox")
			}
			return ""
		}, nil, "busybox")
	})
	return file, err
}

// configHas reports whether a kernel's configuration has a line.
func configHas(file, line string) (bool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	return slices.Contains(strings.Split(string(b), "\n"), line), nil
}
