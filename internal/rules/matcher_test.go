package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// watch is a matcher in a tree, with a clock that the test moves.
func watch(tree tree, catchUp func() error, rows ...string) (*Matcher, *time.Time) {
	m := NewMatcher(parse(tree.T, rows...), tree.host(), catchUp)
	at := time.Unix(1000, 0)
	m.now = func() time.Time { return at }
	return m, &at
}

// later moves the clock to where a matcher looks for what has gone.
func later(m *Matcher, at *time.Time) {
	*at = at.Add(sweepEvery)
	m.EndWindow()
}

func (t tree) want(v Verdict, class string, err error) {
	t.Helper()
	if v.Class != class || !errors.Is(v.Err, err) {
		t.Errorf("class %q (%v), want %q (%v)", v.Class, v.Err, class, err)
	}
}

const runcFile = "run/runc/resize/state.json"

func runcState1(function string) string {
	return `{"cgroup_paths":{"":"/sys/fs/cgroup/fn/resize"},"config":{"labels":["function=` + function + `"]}}`
}

// What the runtime knows is kept when it and the cgroup have gone, until the
// ends of the processes are told; and dropped then.
func TestContainerIsForgottenWhenItGoes(t *testing.T) {
	tree := newTree(t)
	tree.process(7, fake{cgroup: "/fn/resize", comm: "a"})
	tree.write(runcFile, runcState1("one"))
	m, at := watch(tree, nil, "container,^function=(.+)$,$1")
	m.Learn(Exec{ID: ID{PID: 7}, New: true})

	tree.remove("run/runc/resize")
	tree.remove("sys/fs/cgroup/fn")
	tree.remove("proc/7")
	ended := Process{ID: ID{PID: 7}, Comm: "a", Cgroup: "/fn/resize", Ended: true}
	later(m, at)
	tree.want(m.Decide(ended), "one", nil)
	later(m, at)
	tree.want(m.Decide(ended), "", ErrGone)
	if len(m.groups) != 1 {
		t.Errorf("%d cgroups are known", len(m.groups))
	}
	later(m, at)
	later(m, at)
	if len(m.groups) != 0 || len(m.processes) != 0 {
		t.Errorf("%d cgroups and %d processes are known", len(m.groups), len(m.processes))
	}
}

// A cgroup of the same path may be another one.
func TestCgroupMadeAnew(t *testing.T) {
	tree := newTree(t)
	tree.cgroup("/fn/resize")
	tree.write(runcFile, runcState1("one"))
	m, _ := watch(tree, nil, "container,^function=(.+)$,$1")
	p := Process{ID: ID{PID: 7}, Comm: "a", Cgroup: "/fn/resize"}
	tree.want(m.Decide(p), "one", nil)
	tree.write(runcFile, runcState1("two"))
	tree.want(m.Decide(p), "one", nil) // what is known is not read again
	tree.cgroup("/fn/other")           // takes the inode, if one is to be had again
	tree.remove("sys/fs/cgroup/fn/resize")
	tree.cgroup("/fn/more")
	tree.cgroup("/fn/resize")
	tree.want(m.Decide(p), "two", nil)
}

// A cgroup is there before the runtime says what it is.
func TestContainerThatIsBeingMade(t *testing.T) {
	tree := newTree(t)
	tree.cgroup("/fn/resize")
	m, at := watch(tree, nil, "container,^function=(.+)$,$1", "comm,.*,other")
	p := Process{ID: ID{PID: 7}, Comm: "a", Cgroup: "/fn/resize"}
	tree.want(m.Decide(p), "other", nil)
	tree.write(runcFile, runcState1("one"))
	tree.want(m.Decide(p), "other", nil)
	*at = at.Add(searchAgain)
	tree.want(m.Decide(p), "one", nil)
}

// One that goes before it could be told what it is has no answer. One that was
// there for long enough was no container, whatever comes of it.
func TestCgroupThatGoesSoon(t *testing.T) {
	for _, test := range []struct {
		lives time.Duration
		class string
		err   error
	}{{searchAgain, "", ErrGone}, {settleAfter, "other", nil}} {
		tree := newTree(t)
		tree.process(7, fake{cgroup: "/fn/resize", comm: "a"})
		m, at := watch(tree, nil, "container,^function=(.+)$,$1", "comm,.*,other")
		if again := m.Learn(Exec{ID: ID{PID: 7}, New: true}); !again {
			t.Error("the next process of the cgroup need not be told")
		}
		*at = at.Add(test.lives)
		again := m.Learn(Exec{ID: ID{PID: 7}, New: true})
		if want := test.err != nil; again != want {
			t.Errorf("after %v the next process is to be told: %t, want %t", test.lives, again, want)
		}
		tree.remove("sys/fs/cgroup/fn")
		tree.want(m.Decide(Process{ID: ID{PID: 7}, Comm: "a", Cgroup: "/fn/resize", Ended: true}), test.class, test.err)
	}
	tree := newTree(t)
	m, _ := watch(tree, nil, "container,a,b")
	if again := m.Learn(Exec{ID: ID{PID: 7}, New: true}); !again {
		t.Error("a process went before it was looked at, and the next of its cgroup need not be told")
	}
}

func TestWhatTheKernelTells(t *testing.T) {
	tree := newTree(t)
	told := []Exec{{
		ID: ID{PID: 7, StartNs: 5}, UID: 33, Exe: "/usr/bin/node",
		Cmdline: []byte("node\x00fn.js\x00"), Environ: []byte("B=1\x00FN=resize\x00"),
	}}
	var m *Matcher
	for rule, want := range map[string]string{
		"env,^FN=(.+)$,$1": "resize", "exe,^/usr/bin/(.+)$,$1": "node", "cmdline,^node fn.js$,args": "args",
		"uid,^33$,web": "web", "env,^C=,x": "",
	} {
		m, _ = watch(tree, func() error { m.Learn(told[0]); return nil }, rule)
		p := Process{ID: ID{PID: 7, StartNs: 5}, Comm: "node", Cgroup: "/fn/a", Ended: true}
		tree.want(m.Decide(p), want, nil)
		// Another process of that pid.
		p.StartNs = 6
		m.catchUp = nil
		tree.want(m.Decide(p), "", ErrGone)
		m.Forget(told[0].ID)
		p.StartNs = 5
		tree.want(m.Decide(p), "", ErrGone)
	}
}

// Of a longer environment than is told, /proc has the rest as long as the
// process lives; then it is not known.
func TestCutEnvironment(t *testing.T) {
	tree := newTree(t)
	tree.process(7, fake{cgroup: "/fn/a", comm: "a", env: []string{"A=1", "FN=resize"}, startTicks: 100})
	m, _ := watch(tree, nil, "env,^FN=(.+)$,$1", "env,^A=(.+)$,$1")
	id := ID{PID: 7, StartNs: 100 * TickNs}
	m.Learn(Exec{ID: id, Environ: []byte("A=1\x00"), Cut: true})
	p := Process{ID: id, Comm: "a", Cgroup: "/fn/a"}
	tree.want(m.Decide(p), "resize", nil)
	m.EndWindow()
	tree.write("proc/7/environ", "A=1\x00FN=train\x00") // as a process may do to itself
	tree.want(m.Decide(p), "train", nil)
	m.EndWindow()
	tree.remove("proc/7")
	p.Ended = true
	tree.want(m.Decide(p), "", ErrGone)
}

func TestProcIsReadOnceAWindow(t *testing.T) {
	tree := newTree(t)
	f := fake{cgroup: "/fn/a", comm: "a", env: []string{"FN=one"}, startTicks: 100}
	tree.process(7, f)
	m, _ := watch(tree, nil, "env,^FN=(.+)$,$1")
	p := Process{ID: ID{PID: 7, StartNs: 100 * TickNs}, Comm: "a", Cgroup: "/fn/a"}
	tree.want(m.Decide(p), "one", nil)
	tree.write("proc/7/environ", "FN=two\x00")
	tree.want(m.Decide(p), "one", nil)
	m.EndWindow()
	tree.want(m.Decide(p), "two", nil)
	// Another process has the pid now.
	m.EndWindow()
	f.startTicks = 200
	tree.process(7, f)
	tree.want(m.Decide(p), "", ErrGone)
	m.EndWindow()
	f.startTicks, f.state = 100, "Z"
	tree.process(7, f)
	tree.want(m.Decide(p), "", ErrGone)
}

// What is mounted is known of a process that has ended if it was looked at in
// time, or of another one in its cgroup; and not guessed in a cgroup that is
// everybody's.
func TestMounts(t *testing.T) {
	tree := newTree(t)
	mounts := []string{"36 35 98:0 /worker/code/1-resize /handler rw"}
	tree.process(7, fake{cgroup: "/fn/a", comm: "a", mounts: mounts, startTicks: 100})
	m, _ := watch(tree, nil, "mount,/worker/code/[0-9]+-(\\S+) ,$1", "comm,.*,other")
	id, see := ID{PID: 7, StartNs: 100 * TickNs}, MountID{1, 2, 3}
	m.Learn(Exec{ID: id, New: true, MountID: see})
	m.Learn(Exec{ID: ID{PID: 8}, MountID: see})
	m.Learn(Exec{ID: ID{PID: 9}, MountID: MountID{1, 2, 4}})
	ended := func(pid int, cgroup string) Process {
		return Process{ID: ID{PID: pid}, Comm: "a", Cgroup: cgroup, Ended: true}
	}
	tree.want(m.Decide(ended(8, "/fn/a")), "resize", nil)
	tree.want(m.Decide(ended(9, "/fn/a")), "", ErrGone) // it saw other mounts
	tree.write("sys/fs/cgroup/fn/a/cgroup.procs", "6\n7\n")
	tree.want(m.Decide(ended(9, "/fn/a")), "resize", nil)
	tree.write("sys/fs/cgroup/cgroup.procs", "6\n7\n")
	tree.want(m.Decide(ended(9, "/")), "", ErrGone)
	// The cgroup is used again, for another sandbox.
	tree.write("proc/7/mountinfo", strings.Replace(mounts[0], "resize", "train", 1))
	tree.want(m.Decide(Process{ID: id, Comm: "a", Cgroup: "/fn/a"}), "train", nil)
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	tree := newTree(t)
	m, _ := watch(tree, nil, "cgroup,^/(a)$,$1", "env,^FN=,x")
	for i := range maxGroups + 10 {
		m.Decide(Process{Comm: "a", Cgroup: fmt.Sprintf("/%d", i), Ended: true})
	}
	if len(m.groups) > maxGroups {
		t.Errorf("%d cgroups are kept", len(m.groups))
	}
	for i := range maxProcesses + 10 {
		m.Learn(Exec{ID: ID{PID: i}})
	}
	if len(m.processes) > maxProcesses {
		t.Errorf("%d processes are kept", len(m.processes))
	}
}
