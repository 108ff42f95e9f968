package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is a host in a folder: /proc, /run and what else a test puts there.
type tree struct {
	*testing.T
	root string
}

func newTree(t *testing.T) tree {
	t.Helper()
	tree := tree{t, t.TempDir()}
	tree.write("sys/fs/cgroup/cgroup.procs", "")
	return tree
}

func (t tree) host() *Host { return NewHost(t.root) }

func (t tree) write(path, text string) {
	t.Helper()
	path = filepath.Join(t.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (t tree) remove(path string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(t.root, path)); err != nil {
		t.Fatal(err)
	}
}

// cgroup makes a cgroup.
func (t tree) cgroup(path string) { t.write("sys/fs/cgroup"+path+"/cgroup.procs", "") }

// fake is a process in a tree.
type fake struct {
	cgroup, comm, exe string
	args, env         []string
	mounts            []string
	uid               int
	state             string // S if empty
	flags             uint64
	startTicks        int64
}

func (t tree) process(pid int, f fake) {
	t.Helper()
	t.cgroup(f.cgroup)
	if f.state == "" {
		f.state = "S"
	}
	dir := fmt.Sprintf("proc/%d/", pid)
	t.write(dir+"stat", fmt.Sprintf("%d (a) b) %s 1 2 3 4 5 %d 7 8 9 10 11 12 13 14 15 16 17 18 %d 20 21\n", pid, f.state, f.flags, f.startTicks))
	t.write(dir+"comm", f.comm+"\n")
	t.write(dir+"cgroup", "4:memory:/elsewhere\n0::"+f.cgroup+"\n")
	t.write(dir+"environ", joined(f.env))
	t.write(dir+"cmdline", joined(f.args))
	t.write(dir+"mountinfo", strings.Join(f.mounts, "\n")+"\n")
	t.write(dir+"status", fmt.Sprintf("Name:\tx\nUid:\t%d\t0\t0\t0\n", f.uid))
	if f.exe != "" {
		if err := os.Symlink(f.exe, filepath.Join(t.root, dir, "exe")); err != nil {
			t.Fatal(err)
		}
	}
}

// joined is how /proc has lists: each with a NUL.
func joined(texts []string) string {
	var out strings.Builder
	for _, text := range texts {
		out.WriteString(text + "\x00")
	}
	return out.String()
}

func parse(t *testing.T, rows ...string) *Set {
	t.Helper()
	set, err := Parse(strings.NewReader("match,pattern,class\n"+strings.Join(rows, "\n")+"\n"), "rules.csv")
	if err != nil {
		t.Fatal(err)
	}
	return set
}
