package collect

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cgroupMount finds where cgroup v2 is mounted.
func cgroupMount(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); fields[2] == "cgroup2" {
			return fields[1]
		}
	}
	t.Skip("no cgroup v2 hierarchy is mounted")
	return ""
}

// newCgroup makes a cgroup with a name of its own, and the ones below it that
// are named. It returns its path in the hierarchy and its directory.
func newCgroup(t *testing.T, below ...string) (path, dir string) {
	t.Helper()
	needKernel(t)
	mount := cgroupMount(t)
	path = fmt.Sprintf("/alps-test-%d", os.Getpid())
	dir = mount + path
	for _, name := range append([]string{""}, below...) {
		sub := filepath.Join(dir, name)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { removeCgroup(t, sub) })
	}
	return path, dir
}

// removeCgroup removes a cgroup, whose dead processes may still be in it for a
// moment.
func removeCgroup(t *testing.T, dir string) {
	t.Helper()
	var err error
	for range 500 {
		if err = os.Remove(dir); err == nil || os.IsNotExist(err) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Error(err)
}

// bodyIn is a body that is in a cgroup from its first instruction.
func bodyIn(t *testing.T, dir, name string, words ...string) *exec.Cmd {
	t.Helper()
	cgroup, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cgroup.Close() })
	cmd := body(t, name, words...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	return cmd
}

// runIn runs such a body.
func runIn(t *testing.T, dir, name string, words ...string) time.Duration {
	t.Helper()
	return run(t, bodyIn(t, dir, name, words...))
}

func TestClassIsTheCgroup(t *testing.T) {
	path, dir := newCgroup(t, "figlet")
	s := collect(t, Options{Window: time.Hour})
	want := runIn(t, dir+"/figlet", "handler", "burn", "20ms")
	row := s.one()
	if got := "cgroup:" + path + "/figlet"; row.Key != got || "/"+string(row.Class) != path+"/figlet" {
		t.Errorf("class %q, key %q, want %q", row.Class, row.Key, got)
	}
	if !aboutEqual(time.Duration(row.CPUNs), want) {
		t.Errorf("CPU time %v, the kernel says %v", time.Duration(row.CPUNs), want)
	}
}

func TestUnderACgroup(t *testing.T) {
	path, dir := newCgroup(t, "a", "a/b")
	s := collect(t, Options{Window: time.Hour, Filter: Filter{Under: path + "/a"}})
	runIn(t, dir+"/a/b", "inside", "burn", "5ms")
	runIn(t, dir+"/a", "at", "burn", "5ms")
	runIn(t, dir, "above", "burn", "5ms")
	run(t, body(t, "outside", "burn", "5ms"))
	if row := s.one(); row.Class != "b" || row.Key != "cgroup:"+path+"/a/b" {
		t.Errorf("class %q, key %q", row.Class, row.Key)
	}
}

// As runc does it: the process is started and then moved.
func TestMovedAfterItsStart(t *testing.T) {
	path, dir := newCgroup(t, "late")
	s := collect(t, Options{Window: time.Hour, Filter: Filter{Under: path}})
	cmd := body(t, "fn-moved", "sleep")
	start(t, cmd)
	pid := strconv.Itoa(cmd.Process.Pid)
	if err := os.WriteFile(dir+"/late/cgroup.procs", []byte(pid), 0); err != nil {
		t.Fatal(err)
	}
	kill(cmd)
	if row := s.one(); row.Class != "late" {
		t.Errorf("class %q, key %q", row.Class, row.Key)
	}
}

func TestLivingAreInTheirCgroup(t *testing.T) {
	path, dir := newCgroup(t, "now")
	s := collect(t, Options{Window: time.Hour, Filter: Filter{Under: path}})
	cmd := body(t, "fn-now", "sleep")
	start(t, cmd)
	pid := strconv.Itoa(cmd.Process.Pid)
	if err := os.WriteFile(dir+"/now/cgroup.procs", []byte(pid), 0); err != nil {
		t.Fatal(err)
	}
	if row := s.one(); row.Class != "now" || row.EndNs.Valid {
		t.Errorf("class %q, key %q, end %+v", row.Class, row.Key, row.EndNs)
	}
	kill(cmd)
}

func TestCgroupRemovedWithinTheWindow(t *testing.T) {
	path, dir := newCgroup(t)
	s := collect(t, Options{Window: time.Hour, Filter: Filter{Under: path}})
	if err := os.Mkdir(dir+"/gone", 0o755); err != nil {
		t.Fatal(err)
	}
	runIn(t, dir+"/gone", "handler", "burn", "5ms")
	removeCgroup(t, dir+"/gone")
	if row := s.one(); row.Class != "gone" {
		t.Errorf("class %q, key %q", row.Class, row.Key)
	}
}

func TestPathTooLongIsCounted(t *testing.T) {
	path, dir := newCgroup(t)
	s := collect(t, Options{Window: time.Hour, Filter: Filter{Under: path}})
	var dirs []string
	for range 6 {
		dir += "/" + strings.Repeat("n", 220)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	runIn(t, dir, "handler", "burn", "5ms")
	for i := range dirs {
		removeCgroup(t, dirs[len(dirs)-1-i])
	}
	if rows := s.finish(); len(rows) > 0 {
		t.Errorf("%+v", rows)
	}
	wantMessage(t, s, "1 invocations (cgroup path longer than")
}
