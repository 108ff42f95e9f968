package collect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"alps/internal/rules"
)

// fnCgroup is where faasd has its functions.
const fnCgroup = "/openfaas-fn"

// newBundle makes a bundle for runc that runs a shell script in busybox, in the
// cgroup of a function and with an annotation. It skips the test where that
// cannot be.
func newBundle(t *testing.T, function, script string) string {
	t.Helper()
	needKernel(t)
	for _, tool := range []string{"runc", "busybox"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%v (Debian packages runc and busybox-static)", err)
		}
	}
	busybox, _ := exec.LookPath("busybox")
	if out, err := exec.Command("ldd", busybox).CombinedOutput(); err == nil && strings.Contains(string(out), "libc") {
		t.Skip(busybox + " is not static (Debian package busybox-static)")
	}
	removeCgroups(t, fnCgroup)
	bundle := t.TempDir()
	bin := filepath.Join(bundle, "rootfs/bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("runc", "spec", "--bundle", bundle).CombinedOutput(); err != nil {
		t.Fatalf("runc spec: %v\n%s", err, out)
	}
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
	process["args"] = []string{"/bin/busybox", "sh", "-c", script}
	delete(process, "rlimits")
	config["linux"].(map[string]any)["cgroupsPath"] = fnCgroup + "/" + function
	config["annotations"] = map[string]string{"com.example.function": "annotated-" + function}
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return bundle
}

// removeCgroups removes a cgroup, in all hierarchies, at the end of the test. It
// skips one that would remove somebody else's.
func removeCgroups(t *testing.T, path string) {
	t.Helper()
	var dirs []string
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		found, err := filepath.Glob(mount)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range found {
			if _, err := os.Stat(dir + "/cgroup.procs"); err == nil {
				dirs = append(dirs, dir+path)
			}
		}
	}
	for _, dir := range dirs {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Skipf("%s is there: somebody runs functions here", dir)
		}
		t.Cleanup(func() { removeCgroup(t, dir) })
	}
}

// A container that is there for some ms: when its processes are accounted, it,
// its cgroup and what runc knew of it are gone.
func TestContainerOfRunc(t *testing.T) {
	for _, test := range []struct{ name, id, rule, want string }{
		{"of the name of its cgroup", "", "container,^com\\.example\\.function=(.+)$,$1", "annotated-figlet"},
		{"of another name", "alps-test-c1", "container,^com\\.example\\.function=(.+)$,$1", "annotated-figlet"},
		{"by the shipped rules", "", "", "figlet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// Each sleep is a process of its own, as a function of classic
			// watchdog's is.
			bundle := newBundle(t, "figlet", "busybox sleep 0.01; busybox sleep 0.01; true")
			options := byRules(t, "comm,.*,-")
			options.Rules = rules.Default()
			if test.rule != "" {
				options = byRules(t, test.rule)
			}
			options.Filter.Under = fnCgroup
			s := collect(t, options)
			id := test.id
			if id == "" {
				id = "figlet"
			}
			cmd := exec.Command("runc", "run", "--bundle", bundle, id)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("runc run: %v\n%s", err, out)
			}
			if _, err := os.Stat("/run/runc/" + id); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the container is still there: %v", err)
			}
			rows := s.finish()
			if len(rows) < 3 {
				t.Errorf("%d rows, want the shell and two sleeps\n%s", len(rows), &s.messages)
			}
			for _, row := range rows {
				if want := fmt.Sprintf("cgroup:%s/figlet", fnCgroup); string(row.Class) != test.want || row.Key != want {
					t.Errorf("class %q, key %q, want %q, %q", row.Class, row.Key, test.want, want)
				}
			}
			if s.messages.String() != "" {
				t.Errorf("messages: %s", &s.messages)
			}
		})
	}
}
