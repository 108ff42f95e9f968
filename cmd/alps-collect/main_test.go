package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"alps/internal/stream"
)

// The test binary is the tool, or a function that sleeps.
const roleEnv = "ALPS_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "tool":
		main()
	case "function":
		unix.Pause()
	}
	testscript.Main(m, map[string]func(){"alps-collect": main})
}

var update = flag.Bool("u", false, "rewrite the expected output in testdata")

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "../../testdata/collect", UpdateScripts: *update})
}

// header is an invocations stream without windows.
var header = func() string {
	var out strings.Builder
	if err := stream.NewWriter[stream.Invocation](&out).Close(); err != nil {
		panic(err)
	}
	return out.String()
}()

// self is a copy of the test binary that any user may run, under a name.
func self(t *testing.T, name, role string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "alps-collect-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, name)
	if err := os.WriteFile(copied, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied, args...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	return cmd
}

// result is what a tool that has ended left.
type result struct {
	code           int
	stdout, stderr string
}

func run(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// running is the tool at work: it has written its header.
type running struct {
	*exec.Cmd
	rest   *bufio.Reader
	stderr *bytes.Buffer
}

// collecting starts the tool and skips the test where it cannot work.
func collecting(t *testing.T, args ...string) running {
	t.Helper()
	return start(t, self(t, "alps-collect", "tool", args...))
}

// start starts the tool and skips the test where it cannot work.
func start(t *testing.T, cmd *exec.Cmd) running {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	in := bufio.NewReader(stdout)
	first, err := in.ReadString('\n')
	if err == io.EOF {
		cmd.Wait()
		if os.Geteuid() != 0 || strings.Contains(stderr.String(), "vmlinux") {
			t.Skip(stderr.String())
		}
		t.Fatal(stderr.String())
	}
	if first != header {
		t.Errorf("header %q, want %q", first, header)
	}
	return running{cmd, in, &stderr}
}

func TestSignalsEndTheWindow(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		tool := collecting(t, "--window=1h", "--class=comm", "--comm=fn-signal")
		function := self(t, "fn-signal", "function")
		if err := function.Start(); err != nil {
			t.Fatal(err)
		}
		if err := tool.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(tool.rest)
		if err != nil {
			t.Fatal(err)
		}
		if err := tool.Wait(); err != nil || tool.stderr.Len() > 0 {
			t.Errorf("%v: %v, stderr %q", signal, err, tool.stderr)
		}
		row := regexp.MustCompile(`^\d+,1,fn-signal,comm:fn-signal,\d+-\d+,\d+,\d+,,\d+,\d+,\d+,[\d.]+(,\d+)*,process\n$`)
		if !row.Match(rest) {
			t.Errorf("%v: rows %q, want one that lives", signal, rest)
		}
		function.Process.Kill()
		function.Wait()
	}
}

func TestCountEndsIt(t *testing.T) {
	tool := collecting(t, "--window=50ms", "--count=3", "--under=/no/such")
	rest, err := io.ReadAll(tool.rest)
	if err != nil || len(rest) > 0 {
		t.Errorf("%v, rows %q", err, rest)
	}
	if err := tool.Wait(); err != nil {
		t.Error(err, tool.stderr)
	}
}

func TestReaderThatGoesAway(t *testing.T) {
	needTool(t)
	cmd := self(t, "alps-collect", "tool", "--window=50ms", "--class=comm", "--comm=fn-gone")
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = in, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	out.Close()
	function := self(t, "fn-gone", "function")
	if err := function.Start(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Errorf("%v, stderr %q", err, &stderr)
	}
	function.Process.Kill()
	function.Wait()
}

// A cgroup so deep is one that the tool cannot tell.
func TestStrict(t *testing.T) {
	cgroup := deepCgroup(t)
	for _, test := range []struct {
		args []string
		want int
	}{{nil, 0}, {[]string{"--strict"}, 1}} {
		tool := collecting(t, append(test.args, "--window=1h", "--under=/alps-deep")...)
		function := self(t, "fn-deep", "function")
		function.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: cgroup}
		if err := function.Start(); err != nil {
			t.Fatal(err)
		}
		function.Process.Kill()
		function.Wait()
		if err := tool.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, tool.rest)
		tool.Wait()
		const lost = "alps-collect: lost in all: 1 invocations (cgroup path longer than 1024 bytes or 32 levels)\n"
		if got := tool.stderr.String(); tool.ProcessState.ExitCode() != test.want || !strings.HasSuffix(got, lost) || strings.Count(got, "\n") != 2 {
			t.Errorf("%v: exit status %d, stderr %q", test.args, tool.ProcessState.ExitCode(), got)
		}
	}
}

// deepCgroup makes a cgroup of more levels than the tool can tell, and returns a
// descriptor of it.
func deepCgroup(t *testing.T) int {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var dir string
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); fields[2] == "cgroup2" {
			dir = fields[1]
		}
	}
	if dir == "" || os.Geteuid() != 0 {
		t.Skip("needs root and a cgroup v2 hierarchy")
	}
	dir += "/alps-deep"
	for range 40 {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		level := dir
		t.Cleanup(func() {
			// A dead process may be in it for a moment.
			for range 500 {
				if os.Remove(level) == nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("%s is left", level)
		})
		dir += "/d"
	}
	fd, err := unix.Open(strings.TrimSuffix(dir, "/d"), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// needTool skips a test where the tool cannot work.
func needTool(t *testing.T) {
	t.Helper()
	tool := collecting(t, "--window=1ms", "--count=1", "--under=/no/such")
	io.Copy(io.Discard, tool.rest)
	tool.Wait()
}

func TestNothingIsLeftAfterKill(t *testing.T) {
	before := programs(t)
	tool := collecting(t, "--window=1h")
	loaded := programs(t)
	maps.DeleteFunc(loaded, func(id ebpf.ProgramID, _ bool) bool { return before[id] })
	if len(loaded) == 0 {
		t.Fatal("no programs are loaded")
	}
	tool.Process.Kill()
	tool.Wait()
	// The kernel frees them a little later.
	for range 500 {
		now := programs(t)
		maps.DeleteFunc(loaded, func(id ebpf.ProgramID, _ bool) bool { return !now[id] })
		if len(loaded) == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d programs are left", len(loaded))
}

// programs are the ids of the tool's programs in the kernel.
func programs(t *testing.T) map[ebpf.ProgramID]bool {
	t.Helper()
	found := map[ebpf.ProgramID]bool{}
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if errors.Is(err, os.ErrNotExist) {
			return found
		}
		if errors.Is(err, os.ErrPermission) {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		id = next
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // gone already
		}
		if info, err := program.Info(); err == nil && (info.Name == "on_switch" || info.Name == "on_living") {
			found[id] = true
		}
		program.Close()
	}
}

// nobody makes the tool run without privileges but those named.
func nobody(t *testing.T, cmd *exec.Cmd, capabilities ...uintptr) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("changing the user takes root")
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: capabilities,
	}
}

// Each capability that is missing is named, and nothing is written.
func TestNoPrivilege(t *testing.T) {
	const (
		bpf     = "alps-collect: CAP_BPF is missing: it is needed to load eBPF programs\n"
		perfmon = "alps-collect: CAP_PERFMON is missing: it is needed to trace the processes of all users\n"
		give    = "alps-collect: run it as root, or give it what is missing (setcap %s+ep FILE, or AmbientCapabilities= of a systemd unit)\n"
	)
	for _, test := range []struct {
		name string
		has  []uintptr
		want string
	}{
		{"none", nil, bpf + perfmon + fmt.Sprintf(give, "cap_bpf,cap_perfmon")},
		{"CAP_BPF", []uintptr{unix.CAP_BPF}, perfmon + fmt.Sprintf(give, "cap_perfmon")},
		{"CAP_PERFMON", []uintptr{unix.CAP_PERFMON}, bpf + fmt.Sprintf(give, "cap_bpf")},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, args := range [][]string{nil, {"--rules=default"}} {
				cmd := self(t, "alps-collect", "tool", args...)
				nobody(t, cmd, test.has...)
				if got := run(t, cmd); got != (result{1, "", test.want}) {
					t.Errorf("%v: %+v, want %q", args, got, test.want)
				}
			}
		})
	}
}

func TestTwoCapabilitiesAreEnough(t *testing.T) {
	needTool(t)
	cmd := self(t, "alps-collect", "tool", "--window=1ms", "--count=1", "--under=/no/such")
	nobody(t, cmd, unix.CAP_BPF, unix.CAP_PERFMON)
	if got := run(t, cmd); got != (result{0, header, ""}) {
		t.Errorf("%+v", got)
	}
}

// With rules too they are, save for what the runtimes keep for root.
func TestCapabilitiesForRules(t *testing.T) {
	needTool(t)
	const warning = "alps-collect: CAP_DAC_READ_SEARCH is missing: it is needed to read what container runtimes keep for root; default has rules by container\n"
	for _, test := range []struct {
		has  []uintptr
		want string
	}{
		{[]uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, warning},
		{[]uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_DAC_READ_SEARCH}, ""},
	} {
		cmd := self(t, "alps-collect", "tool", "--window=1ms", "--count=1", "--under=/no/such", "--rules=default")
		nobody(t, cmd, test.has...)
		if got := run(t, cmd); got != (result{0, header, test.want}) {
			t.Errorf("%v: %+v", test.has, got)
		}
	}
}

// The environment of root's processes is known with the two capabilities: the
// kernel side tells it, as /proc does not.
func TestEnvironmentOfOthers(t *testing.T) {
	needTool(t)
	rules := filepath.Join(t.TempDir(), "rules.csv")
	if err := os.WriteFile(rules, []byte("match,pattern,class\nenv,^FN_OF_ROOT=(.+)$,$1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(rules)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cmd := self(t, "alps-collect", "tool", "--window=1h", "--comm=fn-of-root", "--rules=-")
	nobody(t, cmd, unix.CAP_BPF, unix.CAP_PERFMON)
	cmd.Stdin = in
	tool := start(t, cmd)
	function := self(t, "fn-of-root", "function")
	function.Env = append(function.Env, "FN_OF_ROOT=known")
	if err := function.Start(); err != nil {
		t.Fatal(err)
	}
	defer function.Wait()
	defer function.Process.Kill()
	// It has to have called exec.
	for range 500 {
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", function.Process.Pid)); string(comm) == "fn-of-root\n" {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	tool.Process.Signal(syscall.SIGTERM)
	rest, err := io.ReadAll(tool.rest)
	if err != nil {
		t.Fatal(err)
	}
	if err := tool.Wait(); err != nil || tool.stderr.Len() > 0 || !strings.Contains(string(rest), ",known,") {
		t.Errorf("%v, stderr %q, rows %q", err, tool.stderr, rest)
	}
	// What explain may not read, it names.
	explain := self(t, "alps-collect", "tool", "explain", "--rules=-", strconv.Itoa(function.Process.Pid))
	nobody(t, explain)
	in.Seek(0, io.SeekStart)
	explain.Stdin = in
	if got := run(t, explain); got.code != 1 || !strings.HasSuffix(got.stderr, "no permission to read it (open /proc/"+
		strconv.Itoa(function.Process.Pid)+"/environ: permission denied); run it as root, or with CAP_SYS_PTRACE\n") {
		t.Errorf("%+v", got)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{
		{"--window=0s"}, {"--window=5"}, {"--count=-1"}, {"--count=1.5"}, {"--class=mount"},
		{"--comm=[a"}, {"--cpus=0"}, {"--cpus=3-1"}, {"file"}, {"--no-such-flag"},
	} {
		got := run(t, self(t, "alps-collect", "tool", args...))
		if got.code != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, "alps-collect: ") {
			t.Errorf("%v: %+v", args, got)
		}
	}
	got := run(t, self(t, "alps-collect", "tool", "--cpus=100000"))
	if got.code != 1 || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("more CPUs than there are: %+v", got)
	}
}

func TestHelp(t *testing.T) {
	for args, want := range map[string]string{
		"--help": "import ", "collect --help": "--under", "import --help": "--demands", "explain --help": "<pid>",
	} {
		got := run(t, self(t, "alps-collect", "tool", strings.Fields(args)...))
		if got.code != 0 || !strings.Contains(got.stdout, want) || got.stderr != "" {
			t.Errorf("%s: %+v", args, got)
		}
	}
	got := run(t, self(t, "alps-collect", "tool", "--help"))
	if got.code != 0 || !strings.Contains(got.stdout, "explain") || !strings.Contains(got.stdout, "collect --help") || got.stderr != "" {
		t.Errorf("%+v", got)
	}
}
