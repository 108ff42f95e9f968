package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// needBoot skips tests that boot machines unless ALPS_VM=1, which make test
// sets: they need QEMU, and a network or a kernel in the cache.
func needBoot(t *testing.T) {
	t.Helper()
	if os.Getenv("ALPS_VM") != "1" {
		t.Skip("boots a machine: set ALPS_VM=1")
	}
}

// bootKernels says of the kernels that TestBoot runs on whether they have
// sched_ext. 6.1 also stands for those with the virtio drivers as modules.
var bootKernels = map[string]string{"6.1": "no", "oldest": "yes", "newest": "yes"}

func TestBoot(t *testing.T) {
	needBoot(t)
	for kernel, schedExt := range bootKernels {
		t.Run(kernel, func(t *testing.T) {
			script := filepath.Join(t.TempDir(), "script.sh")
			content := `#!/bin/sh
set -eu
echo "args: $*; A=$A; dir: $(pwd); home: $HOME; in: $(cat)"
echo to stderr >/dev/stderr
echo "file: $(cat /data/in /tmp/data/in)"
for m in /proc /sys /dev /dev/shm /sys/fs/cgroup /sys/fs/bpf /sys/kernel/tracing /sys/kernel/debug; do
	grep -q " $m " /proc/mounts || echo "$m is not mounted"
done
echo "tmp: $(stat -c %a /tmp)"
echo "controllers: $(cat /sys/fs/cgroup/cgroup.subtree_control)"
echo "cpus: $(nproc)"
echo "sched_ext: $(test -e /sys/kernel/sched_ext/state && echo yes || echo no)"
ping -c 1 127.0.0.1 >/dev/null || echo "no loopback"
mkdir -p /out/d/empty
echo kept >/out/d/f
head -c 3000000 /dev/zero >/out/big
# Left behind: must neither keep the machine up nor hold its output.
sleep 1000 &
exit 7
`
			if err := os.WriteFile(script, []byte(content), 0o755); err != nil {
				t.Fatal(err)
			}
			data := t.TempDir()
			if err := os.WriteFile(filepath.Join(data, "in"), []byte("packed"), 0o644); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			m := Machine{
				Kernel: kernel, CPUs: 2, Sockets: 2, Shell: true,
				Files: []File{{Host: data, Guest: "/data"}, {Host: data, Guest: "/tmp/data"}}, Env: []string{"A=b c"}, Dir: "/some/where",
				OutDir: filepath.Join(t.TempDir(), "out"), Stdout: &stdout, Stderr: &stderr,
			}
			status, err := m.Run(t.Context(), script, "one", "two three")
			if err != nil {
				t.Fatal(err)
			}
			if status != 7 {
				t.Errorf("status %d", status)
			}
			want := `args: one two three; A=b c; dir: /some/where; home: /root; in: 
file: packedpacked
tmp: 1777
controllers: cpuset cpu
cpus: 2
sched_ext: ` + schedExt + "\n"
			if stdout.String() != want {
				t.Errorf("got:\n%s\nwant:\n%s", &stdout, want)
			}
			if stderr.String() != "to stderr\n" {
				t.Errorf("stderr: %q", &stderr)
			}
			if b, err := os.ReadFile(filepath.Join(m.OutDir, "d/f")); err != nil || string(b) != "kept\n" {
				t.Errorf("out: %q, %v", b, err)
			}
			if info, err := os.Stat(filepath.Join(m.OutDir, "big")); err != nil || info.Size() != 3000000 {
				t.Errorf("out: %v, %v", info, err)
			}
			if _, err := os.Stat(filepath.Join(m.OutDir, "d/empty")); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestSignalIsAStatus(t *testing.T) {
	needBoot(t)
	status, err := (&Machine{Shell: true}).Run(t.Context(), "sh", "-c", "kill -TERM $$")
	if status != 128+15 || err != nil {
		t.Errorf("%d, %v", status, err)
	}
}

func TestUnknownCommand(t *testing.T) {
	needBoot(t)
	_, err := (&Machine{Shell: true}).Run(t.Context(), "no-such-command")
	if err == nil || !strings.Contains(err.Error(), "no command no-such-command in the machine's PATH") {
		t.Error(err)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	needBoot(t)
	_, err := (&Machine{Shell: true}).Run(t.Context(), "sh", "-c", "echo c >/proc/sysrq-trigger; sleep 100")
	var failure *Failure
	if !errors.As(err, &failure) {
		t.Fatal(err)
	}
	if failure.Reason != "the machine ended before its command did" || !strings.Contains(failure.Console, "Kernel panic - not syncing: sysrq triggered crash") {
		t.Errorf("reason %q, console:\n%s", failure.Reason, failure.Console)
	}
}

func TestNotAKernel(t *testing.T) {
	needBoot(t)
	file := filepath.Join(t.TempDir(), "vmlinuz")
	if err := os.WriteFile(file, []byte("not a kernel"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := (&Machine{Kernel: file, Shell: true}).Run(t.Context(), "true")
	if err == nil || !strings.Contains(err.Error(), "QEMU: ") {
		t.Error(err)
	}
}

func TestTimeLimit(t *testing.T) {
	needBoot(t)
	m := Machine{Shell: true, Timeout: 3 * time.Second}
	_, err := m.Run(t.Context(), "sleep", "1000")
	var failure *Failure
	if !errors.As(err, &failure) || failure.Reason != "the machine was still running at its time limit of 3s" {
		t.Error(err)
	}
}

// started is a writer that calls do at the first byte.
type started struct{ do func() }

func (s started) Write(p []byte) (int, error) {
	s.do()
	return len(p), nil
}

// TestOutputComesAtOnce also shows that the end of the context ends the
// machine: its command would go on for 1000 s.
func TestOutputComesAtOnce(t *testing.T) {
	needBoot(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := Machine{Shell: true, Stdout: started{cancel}}
	_, err := m.Run(ctx, "sh", "-c", "echo begun; sleep 1000")
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestVirtualTime(t *testing.T) {
	needBoot(t)
	var out bytes.Buffer
	m := Machine{Shell: true, VirtualTime: true, Shift: 1, Stdout: &out, Timeout: 5 * time.Minute}
	// More than the time limit, by a clock that skips idle time.
	status, err := m.Run(t.Context(), "sh", "-c", "date +%F; sleep 3000; cut -d. -f1 /proc/uptime")
	if status != 0 || err != nil {
		t.Fatal(status, err)
	}
	var day string
	var uptime int
	if _, err := fmt.Sscan(out.String(), &day, &uptime); err != nil || day != "2026-01-01" || uptime < 3000 || uptime > 3100 {
		t.Errorf("%q, %v", &out, err)
	}
}

// TestKilledHarness kills the command that runs a machine, which then cannot
// clean up: QEMU must end all the same.
func TestKilledHarness(t *testing.T) {
	needBoot(t)
	binary := buildCommand(t)
	cmd := exec.CommandContext(t.Context(), binary, "run", "--", "sh", "-c", "echo begun; sleep 1000")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var children []string
	for _, file := range tasks {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		children = append(children, strings.Fields(string(b))...)
	}
	if len(children) == 0 {
		t.Fatal("the command has no QEMU")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed, as wanted
	for _, pid := range children {
		for running(pid) {
			if t.Context().Err() != nil {
				t.Fatalf("process %s goes on", pid)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// running reports whether a process is there and no zombie: who takes orphans
// in may be slow to wait for them.
func running(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !regexp.MustCompile(`\) [ZX] `).Match(b)
}

func buildCommand(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "alps-vm")
	if out, err := exec.Command("go", "build", "-o", binary, "alps/internal/cmd/alps-vm").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// TestGoTest runs go test with alps-vm as its -exec on a module of its own.
func TestGoTest(t *testing.T) {
	needBoot(t)
	binary := buildCommand(t)
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod":          "module example\n\ngo 1.25\n",
		"testdata/shared": "shared\n",
		"p/p.go":          "package p\n\nfunc Twice(i int) int { return 2 * i }\n",
		"p/testdata/own":  "own\n",
		"p/p_test.go": `package p

import (
	"os"
	"testing"
)

func TestHere(t *testing.T) {
	if os.Getpid() == 1 || os.Getenv("ALPS_VM_GUEST") != "1" || os.Getenv("ALPS_X") != "y" {
		t.Error(os.Environ())
	}
	for file, want := range map[string]string{"testdata/own": "own\n", "../testdata/shared": "shared\n"} {
		if b, err := os.ReadFile(file); err != nil || string(b) != want {
			t.Error(string(b), err)
		}
	}
	if Twice(2) != 4 {
		t.Error("not twice")
	}
	t.Log("hello from " + t.TempDir())
}

func TestFails(t *testing.T) { t.Error("as it should") }

func BenchmarkTwice(b *testing.B) {
	for b.Loop() {
		Twice(1)
	}
}
`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	goTest := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-count=1", "-exec", binary + " test --no-shell --"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "ALPS_X=y")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}

	out, err := goTest("-v", "-run=Here", "-bench=.", "-benchtime=10x", "-coverprofile=cover.out", "./p")
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, want := range []string{"--- PASS: TestHere", "hello from /tmp/", "BenchmarkTwice", "ns/op", "coverage: 100.0% of statements"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	profile, err := os.ReadFile(filepath.Join(dir, "cover.out"))
	if err != nil || !strings.Contains(string(profile), "example/p/p.go:3.") {
		t.Errorf("profile %q, %v", profile, err)
	}

	out, err = goTest("-json", "-run=Fails", "./p")
	if err == nil || !strings.Contains(out, `"Action":"fail","Package":"example/p","Test":"TestFails"`) || !strings.Contains(out, "as it should") {
		t.Errorf("%v:\n%s", err, out)
	}
}
