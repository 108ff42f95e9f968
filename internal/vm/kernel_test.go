package vm

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// served is what apt-cache madison prints, shortened: an old-style image, a new
// one in two packages, one that has sched_ext's version but (see fakeSource)
// not sched_ext.
const served = ` linux-image-6.1.0-50-cloud-amd64 |  6.1.176-1 | http://deb.debian.org/debian bookworm/main amd64 Packages
linux-image-6.12.95+deb12-cloud-amd64 | 6.12.95-1~bpo12+1 | http://deb.debian.org/debian bookworm-backports/main amd64 Packages
linux-image-6.13.2+deb13-cloud-amd64 | 6.13.2-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
linux-image-6.16.3+deb13-cloud-amd64 | 6.16.3-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
linux-image-6.16.12+deb13-cloud-amd64 | 6.16.12-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
linux-image-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
linux-base-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
linux-binary-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
linux-image-cloud-amd64 | 7.3.4-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
linux-binary-unsigned-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
N: something else
`

func TestParseMadison(t *testing.T) {
	list := parseMadison([]byte(served))
	slices.SortFunc(list, func(a, b Served) int { return compareVersions(a.Version, b.Version) })
	var versions []string
	for _, k := range list {
		versions = append(versions, k.Version)
	}
	want := []string{"6.1.176-1", "6.12.95-1~bpo12+1", "6.13.2-1~bpo13+1", "6.16.3-1~bpo13+1", "6.16.12-1~bpo13+1", "7.3.4-1~bpo13+1"}
	if diff := cmp.Diff(want, versions); diff != "" {
		t.Fatal(diff)
	}
	for _, want := range []Served{
		{Release: "6.1.0-50-cloud-amd64", Version: "6.1.176-1", Suite: "bookworm", Packages: []string{"linux-image-6.1.0-50-cloud-amd64"}},
		{Release: "7.3.4+deb13-cloud-amd64", Version: "7.3.4-1~bpo13+1", Suite: "trixie-backports", Packages: []string{"linux-binary-7.3.4+deb13-cloud-amd64", "linux-base-7.3.4+deb13-cloud-amd64"}},
	} {
		i := slices.IndexFunc(list, func(k Served) bool { return k.Version == want.Version })
		if diff := cmp.Diff(want, list[i]); diff != "" {
			t.Error(diff)
		}
	}
}

// fakeSource serves the packages of a madison output, as files that hold the
// packages' names. offline makes all of it fail.
type fakeSource struct {
	served    string
	offline   bool
	updates   int
	downloads []string
}

var errOffline = errors.New("no network")

func (f *fakeSource) update(context.Context) error {
	f.updates++
	if f.offline {
		return errOffline
	}
	return nil
}

func (f *fakeSource) madison(context.Context) ([]byte, error) {
	if f.offline {
		return nil, errOffline
	}
	return []byte(f.served), nil
}

func (f *fakeSource) download(_ context.Context, dir string, packages ...string) ([]string, error) {
	if f.offline {
		// Half a download, as a lost connection leaves it.
		return nil, errors.Join(errOffline, os.WriteFile(filepath.Join(dir, "half.deb"), nil, 0o644))
	}
	var debs []string
	for _, p := range packages {
		if !strings.Contains(f.served, strings.ReplaceAll(p, "=", " | ")) && !strings.Contains(f.served, strings.ReplaceAll(p, "=", " |  ")) {
			return nil, errors.New("404 " + p)
		}
		f.downloads = append(f.downloads, p)
		deb := filepath.Join(dir, p+".deb")
		if err := os.WriteFile(deb, []byte(p), 0o644); err != nil {
			return nil, err
		}
		debs = append(debs, deb)
	}
	return debs, nil
}

// fakeUnpack gives out the files that Debian's packages have.
func fakeUnpack(_ context.Context, deb string, pick func(string) string) error {
	name, _, _ := strings.Cut(filepath.Base(deb), "=")
	m := kernelPackage.FindStringSubmatch(name)
	config := "CONFIG_SCHED_CLASS_EXT=y\n"
	if strings.HasPrefix(m[2], "6.1.") || strings.HasPrefix(m[2], "6.12") || strings.HasPrefix(m[2], "6.13") {
		config = "# CONFIG_SCHED_CLASS_EXT is not set\n"
	}
	files := map[string]map[string]string{
		"image":  {"boot/vmlinuz-" + m[2]: "kernel", "boot/config-" + m[2]: config, "boot/System.map-" + m[2]: "x"},
		"binary": {"usr/lib/modules/" + m[2] + "/vmlinuz": "kernel"},
		"base":   {"usr/lib/modules/" + m[2] + "/config": config},
	}[m[1]]
	for file, content := range files {
		if to := pick(file); to != "" {
			if err := os.WriteFile(to, []byte(content), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

func testStore(t *testing.T) (*store, *fakeSource, *bytes.Buffer) {
	t.Helper()
	source := &fakeSource{served: served}
	log := new(bytes.Buffer)
	return &store{dir: t.TempDir(), source: source, log: log, unpack: fakeUnpack}, source, log
}

func TestKernelByName(t *testing.T) {
	for name, release := range map[string]string{
		"newest":               "7.3.4+deb13-cloud-amd64",
		"oldest":               "6.16.3+deb13-cloud-amd64", // 6.13.2 has not got it
		"6.1":                  "6.1.0-50-cloud-amd64",
		"6.12":                 "6.12.95+deb12-cloud-amd64",
		"6.16":                 "6.16.12+deb13-cloud-amd64",
		"6.16.3":               "6.16.3+deb13-cloud-amd64",
		"6.1.0-50-cloud-amd64": "6.1.0-50-cloud-amd64",
	} {
		t.Run(name, func(t *testing.T) {
			s, _, _ := testStore(t)
			got, err := s.kernel(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(s.dir, release, "vmlinuz"); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if _, err := os.Stat(got); err != nil {
				t.Error(err)
			}
		})
	}
	s, _, _ := testStore(t)
	if _, err := s.kernel(t.Context(), "5.18"); err == nil || !strings.Contains(err.Error(), `no kernel "5.18"`) {
		t.Errorf("5.18: %v", err)
	}
}

func TestKernelIsFetchedOnce(t *testing.T) {
	s, source, _ := testStore(t)
	for range 3 {
		if _, err := s.kernel(t.Context(), "newest"); err != nil {
			t.Fatal(err)
		}
	}
	if len(source.downloads) != 2 || source.updates != 1 {
		t.Errorf("%d updates, downloads %v", source.updates, source.downloads)
	}
}

func TestOldListIsRenewed(t *testing.T) {
	s, source, _ := testStore(t)
	if _, err := s.kernel(t.Context(), "newest"); err != nil {
		t.Fatal(err)
	}
	source.served += "linux-image-7.4.1+deb13-cloud-amd64 | 7.4.1-1 | http://deb.debian.org/debian sid/main amd64 Packages\n"
	makeOld(t, filepath.Join(s.dir, "served"))
	got, err := s.kernel(t.Context(), "newest")
	if err != nil || filepath.Base(filepath.Dir(got)) != "7.4.1+deb13-cloud-amd64" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestOfflineUsesTheCache(t *testing.T) {
	s, source, log := testStore(t)
	if _, err := s.kernel(t.Context(), "6.16"); err != nil {
		t.Fatal(err)
	}
	source.offline = true
	makeOld(t, filepath.Join(s.dir, "served"))
	for _, name := range []string{"newest", "oldest", "6.16"} {
		got, err := s.kernel(t.Context(), name)
		if err != nil || filepath.Base(filepath.Dir(got)) != "6.16.12+deb13-cloud-amd64" {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if !strings.Contains(log.String(), "no network; using the cached 6.16.12+deb13-cloud-amd64 as newest") {
		t.Errorf("log: %s", log)
	}
	if source.updates != 2 {
		t.Errorf("%d updates: an unreachable archive is asked once a day", source.updates)
	}
	if _, err := s.kernel(t.Context(), "6.1"); !errors.Is(err, errOffline) {
		t.Errorf("6.1, which is not cached: %v", err)
	}

	// Without the list, what is cached is all there is.
	if err := os.Remove(filepath.Join(s.dir, "served")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.kernel(t.Context(), "newest"); err != nil {
		t.Error(err)
	}
}

func TestNothingCachedAndOffline(t *testing.T) {
	s, source, _ := testStore(t)
	source.offline = true
	if _, err := s.kernel(t.Context(), "newest"); !errors.Is(err, errOffline) {
		t.Error(err)
	}
}

func TestVanishedVersionIsLookedForAnew(t *testing.T) {
	s, source, _ := testStore(t)
	if _, err := s.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.renewed = false // another process
	source.served = strings.ReplaceAll(source.served, "6.1.0-50", "6.1.0-51")
	source.served = strings.ReplaceAll(source.served, "6.1.176-1", "6.1.178-1")
	got, err := s.kernel(t.Context(), "6.1")
	if err != nil || filepath.Base(filepath.Dir(got)) != "6.1.0-51-cloud-amd64" {
		t.Errorf("%s, %v", got, err)
	}
}

func TestHalfAFetchLeavesNothing(t *testing.T) {
	s, source, _ := testStore(t)
	if _, err := s.list(t.Context()); err != nil {
		t.Fatal(err)
	}
	// As of a run that was killed.
	if err := os.Mkdir(filepath.Join(s.dir, ".fetch-123"), 0o755); err != nil {
		t.Fatal(err)
	}
	source.offline = true
	if _, err := s.kernel(t.Context(), "newest"); !errors.Is(err, errOffline) {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("%s is left", e.Name())
		}
	}
}

func TestConcurrentFetches(t *testing.T) {
	dir := t.TempDir()
	const users = 8
	stores := make([]store, users)
	sources := make([]fakeSource, users)
	var wait sync.WaitGroup
	for i := range users {
		sources[i].served = served
		stores[i] = store{dir: dir, source: &sources[i], log: io.Discard, unpack: fakeUnpack}
		wait.Go(func() {
			if _, err := stores[i].kernel(t.Context(), "oldest"); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	var downloads []string
	for _, s := range sources {
		downloads = append(downloads, s.downloads...)
	}
	if len(downloads) != 2 { // 6.13.2 and 6.16.3
		t.Errorf("downloads: %v", downloads)
	}
}

func TestLockWaitEndsWithItsContext(t *testing.T) {
	s, _, _ := testStore(t)
	err := s.locked(t.Context(), func() error {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return s.locked(ctx, func() error { return nil })
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestKernelOverride(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vmlinuz")
	t.Setenv(kernelVariable, file)
	if _, err := Kernel(t.Context(), "newest"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"newest", "6.1", "/nowhere"} {
		if got, err := Kernel(t.Context(), name); got != file || err != nil {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
}

func makeOld(t *testing.T, file string) {
	t.Helper()
	old := time.Now().Add(-listAge - time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
}
