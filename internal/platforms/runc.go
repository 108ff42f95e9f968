package platforms

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Container is what a bundle for runc is made of.
type Container struct {
	Cgroup      string   // its path in all hierarchies; what is there before is removed
	Args        []string // what runs in it, of the programs in the root's bin
	Env         []string // beside PATH
	Annotations map[string]string
	Root        string // its root file system, as [Root] makes it
}

// Root makes a root file system with a static busybox in its bin, and returns
// its directory. It skips the test where that cannot be.
func Root(t testing.TB) string {
	t.Helper()
	Need(t, "busybox=busybox-static")
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	Put(t, busybox, filepath.Join(root, "bin/busybox"))
	return root
}

// Put copies a program.
func Put(t testing.TB, from, to string) {
	t.Helper()
	binary, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, binary, 0o755); err != nil {
		t.Fatal(err)
	}
}

// runcStates is where runc keeps what it knows of containers.
const runcStates = "/run/runc"

// Bundle makes a bundle for runc and returns its directory. The cgroup is
// removed when the test ends. It skips the test where there is no runc.
func Bundle(t testing.TB, c Container) string {
	t.Helper()
	Need(t, "runc")
	if _, err := os.Stat(runcStates); err != nil {
		t.Cleanup(func() { os.Remove(runcStates) }) // unless somebody else uses it by now
	}
	RemoveCgroup(t, c.Cgroup)
	bundle := t.TempDir()
	run(t, "runc", "spec", "--bundle", bundle)
	file := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	process := config["process"].(map[string]any)
	process["terminal"] = false
	process["args"] = c.Args
	process["env"] = append([]string{"PATH=/bin"}, c.Env...)
	// Those of the spec may be more than the test itself has.
	delete(process, "rlimits")
	config["root"].(map[string]any)["path"] = c.Root
	config["linux"].(map[string]any)["cgroupsPath"] = c.Cgroup
	config["annotations"] = c.Annotations
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return bundle
}

// RemoveCgroup removes a cgroup, in all hierarchies, now and at the end of the
// test; with it those above it that are empty or, at the end, new.
func RemoveCgroup(t testing.TB, cgroup string) {
	t.Helper()
	for _, pattern := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		mounts, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, mount := range mounts {
			if _, err := os.Stat(mount + "/cgroup.procs"); err != nil {
				continue
			}
			removeDir(t, mount+cgroup)
			for above := filepath.Dir(cgroup); above != "/"; above = filepath.Dir(above) {
				os.Remove(mount + above) // which a killed test left; others' are not empty
			}
			// What is told first is done last.
			dir := mount
			for name := range strings.SplitSeq(strings.Trim(cgroup, "/"), "/") {
				dir = filepath.Join(dir, name)
				level := dir
				if _, err := os.Stat(level); err != nil {
					t.Cleanup(func() { removeDir(t, level) })
				}
			}
		}
	}
}

// patience bounds all waits; none should take a hundredth of it.
const patience = 30 * time.Second

// removeDir removes a cgroup, whose dead processes may still be in it for a
// moment.
func removeDir(t testing.TB, dir string) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = os.Remove(dir); err == nil || os.IsNotExist(err) {
			return
		}
	}
	t.Error(err)
}

// run runs a program that has to succeed and returns what it says.
func run(t testing.TB, program string, args ...string) string {
	t.Helper()
	// Into a file, as a container that it starts would keep a pipe open.
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Run()
	text, _ := os.ReadFile(out.Name())
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, text)
	}
	return strings.TrimSpace(string(text))
}
