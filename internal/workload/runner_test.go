package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var runnerPath string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "alps-workload-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	runnerPath = filepath.Join(dir, RunnerName)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

var buildOnce = sync.OnceValue(func() error {
	_, err := BuildRunner(context.Background(), filepath.Dir(runnerPath))
	return err
})

// runner returns a command that runs the runner on the text of a trace.
func runner(t *testing.T, trace string, args ...string) *exec.Cmd {
	t.Helper()
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "trace.csv")
	if err := os.WriteFile(file, []byte(trace), 0o600); err != nil {
		t.Fatal(err)
	}
	// Far more than any of these runs takes, so that none hangs for ever.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, runnerPath, append(args, file)...)
}

// replay runs the runner to its end and returns the outcomes.
func replay(t *testing.T, trace string, args ...string) []Outcome {
	t.Helper()
	cmd := runner(t, trace, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	outcomes, err := ReadOutcomes(&stdout, "stdout")
	if err != nil {
		t.Fatal(err)
	}
	return outcomes
}

const ms = int64(time.Millisecond)

const smallTrace = "arrival_ns,class,cpu_ns\n" +
	"0,a,1000000\n" +
	"1000000,b,30000000\n" +
	"1000000,a,1000000\n" +
	"20000000,c,0\n"

// checkOutcomes asserts what holds of every run, however busy the machine is.
func checkOutcomes(t *testing.T, trace string, got []Outcome) {
	t.Helper()
	want, err := ReadTrace(strings.NewReader(trace), "trace")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d outcomes of %d requests", len(got), len(want))
	}
	pids := make(map[int64]bool)
	for i, o := range got {
		if o.Invocation != strconv.Itoa(i+1) || o.Class != want[i].Class || o.ArrivalNs != want[i].ArrivalNs ||
			o.DemandNs != want[i].CPUNs || o.BlockNs != want[i].Sleeps*want[i].SleepNs || o.Sleeps != want[i].Sleeps {
			t.Errorf("outcome %+v is not of request %+v", o, want[i])
		}
		if o.ForkNs < o.ArrivalNs || o.StartNs < o.ForkNs || o.EndNs < o.StartNs {
			t.Errorf("arrival, fork, start, end are not in order: %+v", o)
		}
		// The two clocks differ by their rates and granularities.
		if alive := o.EndNs - o.ForkNs; o.CPUNs > alive+alive/50+ms {
			t.Errorf("more CPU time than time: %+v", o)
		}
		// The kernel's account goes on to the end of the process. It is in
		// whole microseconds, user and system time each cut off.
		if o.CPUNs <= 0 || o.CPUNs > o.RusageCPUNs+2000 {
			t.Errorf("CPU time by its own clock and in the kernel's account do not fit: %+v", o)
		}
		if o.ClockNs-got[0].ClockNs != o.ArrivalNs-got[0].ArrivalNs {
			t.Errorf("the clocks of the arrivals do not fit: %+v", o)
		}
		if o.PID <= 1 || pids[o.PID] {
			t.Errorf("pid %d is not a process of its own", o.PID)
		}
		pids[o.PID] = true
	}
}

func monotonicNs(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano()
}

func TestRunner(t *testing.T) {
	before := monotonicNs(t)
	got := replay(t, smallTrace, "--no-cgroup")
	checkOutcomes(t, smallTrace, got)
	if first := got[0].ClockNs; first < before || first > monotonicNs(t) {
		t.Errorf("the first arrival, %d, is not within the run on CLOCK_MONOTONIC", first)
	}
	// Work is fixed: thirty times the demand is far more CPU time, however
	// ill the calibration went.
	if got[1].CPUNs < 5*got[0].CPUNs {
		t.Errorf("30 ms of demand took %d ns, 1 ms took %d ns", got[1].CPUNs, got[0].CPUNs)
	}
}

func TestRunnerLoopsPerMs(t *testing.T) {
	trace := "arrival_ns,class,cpu_ns\n0,a,1000000000\n"
	cmd := runner(t, trace, "--no-cgroup", "--loops-per-ms", "1")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if want := "runner: 1 invocations of 1 classes, 1 loops per ms\n"; stderr.String() != want {
		t.Errorf("stderr %q, want %q", &stderr, want)
	}
	// 1,000 turns of 482 instructions are no second on any machine.
	if got := replay(t, trace, "--no-cgroup", "--loops-per-ms", "1"); got[0].CPUNs > 500*ms {
		t.Errorf("the work of 1000 loops took %d ns", got[0].CPUNs)
	}
}

// By its own clock a child works for its whole demand, however wrong the
// measure of the work is.
func TestRunnerByClock(t *testing.T) {
	trace := "arrival_ns,class,cpu_ns,sleeps,sleep_ns\n0,a,20000000,0,0\n0,b,20000003,2,1000000\n"
	for _, o := range replay(t, trace, "--no-cgroup", "--by-clock", "--loops-per-ms", "100") {
		if o.CPUNs < o.DemandNs {
			t.Errorf("%s used %d ns of CPU time, asked for %d", o.Class, o.CPUNs, o.DemandNs)
		}
	}
}

func TestRunnerSleeps(t *testing.T) {
	trace := "sleeps,arrival_ns,class,cpu_ns,sleep_ns,note\n3,0,a,1000000,10000000,x\n0,5,a,1000000,10000000,x\n"
	got := replay(t, trace, "--no-cgroup")
	checkOutcomes(t, trace, got)
	if got[0].TurnaroundNs() < 30*ms || got[0].BlockNs != 30*ms || got[0].Voluntary < 3 {
		t.Errorf("slept three times 10 ms: %+v", got[0])
	}
}

func TestRunnerLimit(t *testing.T) {
	trace := "arrival_ns,class,cpu_ns\n0,a,3000000\n0,a,3000000\n0,a,3000000\n"
	got := replay(t, trace, "--no-cgroup", "--limit", "1")
	checkOutcomes(t, trace, got)
	for i := 1; i < len(got); i++ {
		if got[i].ForkNs < got[i-1].EndNs {
			t.Errorf("invocation %d was forked before the one before it ended", i+1)
		}
	}
}

// Many short-lived children at once, some of them ending together.
func TestRunnerForkStorm(t *testing.T) {
	var trace strings.Builder
	trace.WriteString("arrival_ns,class,cpu_ns\n")
	for i := range 2000 {
		fmt.Fprintf(&trace, "%d,c%d,10000\n", i/100*1000, i%7)
	}
	checkOutcomes(t, trace.String(), replay(t, trace.String(), "--no-cgroup"))
}

func TestRunnerRefuses(t *testing.T) {
	const header = "arrival_ns,class,cpu_ns\n"
	for _, test := range []struct {
		trace, want string
		args        []string
		code        int
	}{
		{"", ":1: no column arrival_ns", nil, 1},
		{"arrival_ns,class\n", ":1: no column cpu_ns", nil, 1},
		{header, ": no invocation in it", nil, 1},
		{header + "1,a\n", ":2: 2 cells are too few", nil, 1},
		{header + "1,a,1.5\n", `:2: cpu_ns: "1.5" is not a whole number`, nil, 1},
		{header + "1,a,18446744073709551616\n", ":2: cpu_ns: ", nil, 1},
		{header + "1,a,01\n", ":2: cpu_ns: ", nil, 1},
		{header + "1,../a,1\n", `:2: class: "../a" is empty, longer than 63 characters or begins with a dot`, nil, 1},
		{header + "1,a/b,1\n", `:2: class: "a/b" has a character other`, nil, 1},
		{header + "2,a,1\n1,a,1\n", `:3: arrival_ns: "1" is before the arrival above it`, nil, 1},
		{header + "1,a-123456789012,1\n1,b-123456789012,1\n", "would both be known as fn-123456789012", nil, 1},
		{header + "1,a,1\n", `--limit: "x" is not a whole number`, []string{"--limit", "x"}, 2},
		{header + "1,a,1\n", "unknown or incomplete option --frob", []string{"--frob"}, 2},
		{header + "1,a,1\n", `--scheduler: "cfs" is not sfs`, []string{"--scheduler", "cfs"}, 2},
		{header + "1,a,1\n", "--scheduler sfs goes with neither --slices nor --nice", []string{"--scheduler", "sfs", "--slices", "x"}, 2},
		{header + "1,a,1\n", "opening /nonexistent/policy.csv: No such file", []string{"--slices", "/nonexistent/policy.csv"}, 1},
	} {
		cmd := runner(t, test.trace, append([]string{"--no-cgroup"}, test.args...)...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != test.code || !strings.Contains(stderr.String(), test.want) || stdout.Len() > 0 {
			t.Errorf("%q %q: %v, stdout %q, stderr %q, want %q", test.trace, test.args, err, &stdout, &stderr, test.want)
		}
	}
}

// children returns the processes whose parent is pid.
func children(t *testing.T, pid int) []int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var pids []int
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, pid)
	}
	return pids
}

func comm(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSuffix(string(text), "\n")
}

// childNamed waits until the running runner has a child with that comm.
func childNamed(t *testing.T, cmd *exec.Cmd, name string) int {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		for _, pid := range children(t, cmd.Process.Pid) {
			if comm(pid) == name {
				return pid
			}
		}
	}
	t.Fatalf("the runner has no child called %s", name)
	return 0
}

// A function that sleeps for a minute, so that it is there to be looked at.
const longTrace = "arrival_ns,class,cpu_ns,sleep_ns,sleeps\n0,graphPagerank-10,0,60000000000,1\n"

func TestRunnerStopped(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGKILL} {
		cmd := runner(t, longTrace, "--no-cgroup", "--loops-per-ms", "1000")
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The last twelve characters of the class tell it from others.
		child := childNamed(t, cmd, "fn-hPagerank-10")
		cmd.Process.Signal(signal)
		waitGone(t, child) // first: Wait waits for all that hold the pipes
		cmd.Wait()
		code, want := 1, fmt.Sprintf("runner: stopped by signal %d after 1 of 1 invocations\n", signal)
		if signal == syscall.SIGKILL {
			code, want = -1, ""
		}
		if cmd.ProcessState.ExitCode() != code || !strings.HasSuffix(stderr.String(), want) || stdout.Len() > 0 {
			t.Errorf("%v: %v, stdout %q, stderr %q", signal, cmd.ProcessState, &stdout, &stderr)
		}
	}
}

// waitGone waits until the process is dead. One whose parent died is reaped by
// another, whenever that one comes to it.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") || strings.Contains(string(stat), ") X ") {
			return
		}
	}
	t.Errorf("the function, process %d, outlives the runner", pid)
}

func TestRunnerChildKilled(t *testing.T) {
	cmd := runner(t, longTrace, "--no-cgroup", "--loops-per-ms", "1000")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(childNamed(t, cmd, "fn-hPagerank-10"), syscall.SIGKILL)
	cmd.Wait()
	const want = "runner: invocation 1 of class graphPagerank-10 ended early: signal 9\n"
	if cmd.ProcessState.ExitCode() != 1 || !strings.HasSuffix(stderr.String(), want) || stdout.Len() > 0 {
		t.Errorf("%v, stdout %q, stderr %q", cmd.ProcessState, &stdout, &stderr)
	}
}

// cgroupRoot returns a directory, not yet there, in a cgroup2 file system.
func cgroupRoot(t *testing.T) string {
	t.Helper()
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		var fs unix.Statfs_t
		if unix.Statfs(mount, &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
			if unix.Access(mount, unix.W_OK) != nil {
				t.Skipf("making cgroups in %s takes root", mount)
			}
			root := filepath.Join(mount, fmt.Sprintf("alps-workload-test-%d", os.Getpid()))
			t.Cleanup(func() { os.Remove(root) })
			return root
		}
	}
	t.Skip("no cgroup2 file system is mounted")
	return ""
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestRunnerCgroups(t *testing.T) {
	root := cgroupRoot(t)
	checkOutcomes(t, smallTrace, replay(t, smallTrace, "--cgroup-root", root))
	if exists(root) {
		t.Errorf("%s was left behind", root)
	}

	checkOutcomes(t, smallTrace, replay(t, smallTrace, "--cgroup-root", root, "--keep-cgroups"))
	for _, class := range []string{"a", "b", "c"} {
		if err := os.Remove(filepath.Join(root, class)); err != nil {
			t.Errorf("a cgroup was not kept: %v", err)
		}
	}
	// What was there is not the runner's to remove.
	if err := os.Mkdir(filepath.Join(root, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	checkOutcomes(t, smallTrace, replay(t, smallTrace, "--cgroup-root", root))
	if err := os.Remove(filepath.Join(root, "b")); err != nil {
		t.Errorf("a cgroup that was there is gone: %v", err)
	}
	if !exists(root) || exists(filepath.Join(root, "a")) {
		t.Errorf("the root is to stay, the class's cgroup is not")
	}
}

func TestRunnerChildInCgroup(t *testing.T) {
	root := cgroupRoot(t)
	cmd := runner(t, longTrace, "--cgroup-root", root, "--loops-per-ms", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	child := childNamed(t, cmd, "fn-hPagerank-10")
	class := filepath.Join(root, "graphPagerank-10")
	procs, err := os.ReadFile(filepath.Join(class, "cgroup.procs"))
	if want := strconv.Itoa(child) + "\n"; err != nil || string(procs) != want {
		t.Errorf("cgroup of the class has %q, want %q, error %v", procs, want, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	cmd.Wait()
	if exists(root) {
		t.Errorf("%s was left behind by a runner that was stopped", root)
	}
}

func TestRunnerRefusesCgroupRoot(t *testing.T) {
	for root, want := range map[string]string{
		filepath.Join(t.TempDir(), "fn"):         " is not in a cgroup2 file system",
		filepath.Join(t.TempDir(), "absent/dir"): "No such file or directory; give --cgroup-root or --no-cgroup",
	} {
		cmd := runner(t, smallTrace, "--cgroup-root", root)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v, stderr %q, want %q", cmd.ProcessState, &stderr, want)
		}
		if exists(root) {
			t.Errorf("%s was left behind", root)
		}
	}
}

func TestBuildRunnerWithoutCompiler(t *testing.T) {
	t.Setenv("CC", "/nonexistent/cc")
	_, err := BuildRunner(context.Background(), t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "compiling the workload runner with /nonexistent/cc") {
		t.Errorf("error %v", err)
	}
}
