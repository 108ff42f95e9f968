package statefile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func open(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func prepare(t *testing.T, f *File, text string) {
	t.Helper()
	if err := f.Prepare(func(w io.Writer) error { _, err := io.WriteString(w, text); return err }); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, f *File) {
	t.Helper()
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, name, want string) {
	t.Helper()
	if got, err := os.ReadFile(name); err != nil || string(got) != want {
		t.Errorf("%s has %q (%v), want %q", name, got, err, want)
	}
}

// wantFolder fails the test unless the files of a folder are these.
func wantFolder(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the folder has %v, want %v", got, want)
	}
}

func TestReplacing(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "s.csv")
	f := open(t, name)
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading what is not there: %v", err)
	}
	if err := f.Commit(); err == nil {
		t.Error("nothing was prepared, and it was committed")
	}
	prepare(t, f, "one")
	wantFolder(t, dir, ".s.csv.lock", ".s.csv.new")
	commit(t, f)
	wantFile(t, name, "one")

	prepare(t, f, "dropped")
	prepare(t, f, "two")
	wantFile(t, name, "one")
	commit(t, f)
	wantFile(t, name, "two")

	fail := errors.New("no more")
	err := f.Prepare(func(w io.Writer) error { io.WriteString(w, "half"); return fail })
	if !errors.Is(err, fail) || f.Commit() == nil {
		t.Errorf("error %v, or it was committed", err)
	}
	prepare(t, f, "three")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantFile(t, name, "two")
	wantFolder(t, dir, ".s.csv.lock", "s.csv")
}

// TestDebris: what a process that was killed has left does not matter, and is not
// written through where it is a link.
func TestDebris(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("other"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("other", filepath.Join(dir, ".s.csv.new")); err != nil {
		t.Fatal(err)
	}
	f := open(t, filepath.Join(dir, "s.csv"))
	prepare(t, f, "one")
	commit(t, f)
	wantFile(t, f.path, "one")
	wantFile(t, other, "other")
}

func TestPermissionsAreKept(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o666} { // one beyond the usual umask
		name := filepath.Join(t.TempDir(), "s.csv")
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		const owner = 4242
		root := os.Geteuid() == 0
		if root {
			if err := os.Chown(name, owner, owner); err != nil {
				t.Fatal(err)
			}
		}
		f := open(t, name)
		prepare(t, f, "one")
		commit(t, f)
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != mode {
			t.Errorf("mode is %v, want %v", info.Mode(), mode)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; root && got != owner {
			t.Errorf("owner is %d, want %d", got, owner)
		}
	}
}

// TestLinks: what a link leads to is replaced, whether it is there or not, and is
// what is locked.
func TestLinks(t *testing.T) {
	dir := t.TempDir()
	for _, sub := range []string{"data", "real/sub"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	links := map[string]string{
		"a.csv":        "data/s.csv",
		"b.csv":        filepath.Join(dir, "a.csv"),
		"folder":       "real/sub",
		"real/sub/c":   "../s.csv", // of real, not of the folder that the link "folder" is in
		"loop":         "loop",
		"data/nowhere": "no/folder/s.csv",
	}
	for link, target := range links {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"b.csv": "data/s.csv", "folder/c": "real/s.csv"} {
		f := open(t, filepath.Join(dir, link))
		for _, text := range []string{"one", "two"} {
			prepare(t, f, text)
			commit(t, f)
			wantFile(t, filepath.Join(dir, target), text)
		}
		if info, err := os.Lstat(filepath.Join(dir, link)); err != nil || info.Mode()&fs.ModeSymlink == 0 {
			t.Errorf("%s is no link any more: %v", link, err)
		}
		if _, err := Open(filepath.Join(dir, target)); err == nil {
			t.Errorf("%s was opened twice", target)
		}
	}
	for _, link := range []string{"loop", "data/nowhere"} {
		if _, err := Open(filepath.Join(dir, link)); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, link)+": ") {
			t.Errorf("%s: error %v", link, err)
		}
	}
}

// TestOneAtATime: the lock is on the file's name and not on the file, which is
// another one after each Commit.
func TestOneAtATime(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "s.csv")
	f := open(t, name)
	for _, text := range []string{"", "one", "two"} {
		if text != "" {
			prepare(t, f, text)
			commit(t, f)
		}
		lock := filepath.Join(dir, ".s.csv.lock")
		want := name + ": another process has it (the lock is " + lock + "); let that end first, or name another file"
		if _, err := Open(name); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	open(t, filepath.Join(dir, "other.csv"))
	f.Close()
	open(t, name)
}

func TestWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		dir:                            "it is not a regular file; it is replaced by a new one after each window",
		os.DevNull:                     "it is not a regular file; it is replaced by a new one after each window",
		filepath.Join(dir, "no/s.csv"): "a folder that new files can be put into is needed: no such file or directory",
	} {
		if _, err := Open(name); err == nil || err.Error() != name+": "+want {
			t.Errorf("error %v, want %s: %s", err, name, want)
		}
	}
}
