package rules

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody runs f on a thread that has no more right to files than the user
// nobody.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("changing the user takes root")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	defer unix.Setfsuid(0)
	f()
}

// What may not be read is not taken for what is not there, whether it is the
// file or its folder.
func TestContainersOfRoot(t *testing.T) {
	const containerd = "run/containerd/runc/fns/resize/state.json"
	for _, test := range []struct {
		file, closed string
		found        bool
	}{
		{runcFile, runcFile, false},
		{runcFile, "run/runc/resize", false},
		{runcFile, "run/runc", false},
		{containerd, "run/containerd/runc", false},
		{runcFile, "run/containerd/runc", true}, // found elsewhere
	} {
		tree := newTree(t)
		if err := os.Chmod(filepath.Dir(tree.root), 0o755); err != nil { // else nobody gets in
			t.Fatal(err)
		}
		tree.process(7, fake{cgroup: "/fn/resize", comm: "a"})
		tree.write("run/containerd/runc/k8s.io/other/state.json", "{}")
		tree.write(test.file, runcState1("one"))
		if err := os.Chmod(filepath.Join(tree.root, test.closed), 0); err != nil {
			t.Fatal(err)
		}
		set := parse(t, "container,^function=(.+)$,$1", "comm,.*,other")
		decide := func() Verdict {
			m := NewMatcher(set, tree.host(), nil)
			return m.Decide(Process{ID: ID{PID: 7}, Comm: "a", Cgroup: "/fn/resize"})
		}
		asNobody(t, func() {
			if test.found {
				tree.want(decide(), "one", nil)
				return
			}
			tree.want(decide(), "", ErrDenied)
			err := Explain(&strings.Builder{}, set, tree.host(), 7)
			if !errors.Is(err, ErrDenied) || !strings.HasSuffix(err.Error(), "; run it as root, or with CAP_DAC_READ_SEARCH") {
				t.Error(err)
			}
		})
		tree.want(decide(), "one", nil)
	}
}
