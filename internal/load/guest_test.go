package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"alps/internal/cli"
	"alps/internal/stream"
)

// Tests that load the scheduler run in the test machine only (docs/vm.md):
// they put it in charge of everything there. None of them asserts how long
// something takes; deadlines are there to end a test that fails.

// The processes that are scheduled, and the loaders that are killed, are the
// test binary itself. bodyEnv says what it does.
const bodyEnv = "ALPS_TEST_BODY"

func TestMain(m *testing.M) {
	if body := os.Getenv(bodyEnv); body != "" {
		os.Unsetenv(bodyEnv)
		words := strings.Fields(body)
		bodies[words[0]](words[1:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func init() {
	if os.Getenv(bodyEnv) != "" {
		runtime.LockOSThread() // bodies run on the first thread
	}
}

// bodies are what a process can be told to do, each with its arguments.
var bodies = map[string]func(args []string){
	// spin for ever.
	"spin": func([]string) { spinWhile(func() bool { return true }) },
	// blink for ever: sleep, and run for a moment.
	"blink": func([]string) {
		for {
			unix.Nanosleep(&unix.Timespec{Nsec: 1_000_000}, nil)
		}
	},
	// forks runs one short process after another for ever, with pauses that are
	// three times as long: a slow emulation would else do nothing but fork.
	"forks": func([]string) {
		for pause := 20 * time.Millisecond; ; {
			time.Sleep(pause)
			began := time.Now()
			if err := exec.Command("/bin/true").Run(); err != nil {
				fatal(err)
			}
			pause = max(20*time.Millisecond, 3*time.Since(began))
		}
	},
	// rename NAME: spins, also after its name has changed, which it does as
	// soon as its input ends. It looks itself, since the runtime would hardly
	// get a word in for another goroutine to tell it.
	"rename": func(args []string) {
		input := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}}
		spinWhile(func() bool {
			n, err := unix.Poll(input, 0)
			return n == 0 || err != nil
		})
		name, _ := syscall.BytePtrFromString(args[0])
		if err := unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0, 0, 0); err != nil {
			fatal(err)
		}
		spinWhile(func() bool { return true })
	},
	// grab PID DURATION: as a real-time task takes the CPU on which that process
	// runs for so long, and says which part of that time the process ran.
	"grab": func(args []string) {
		d, err := time.ParseDuration(args[1])
		if err == nil {
			err = becomeRealTime()
		}
		if err != nil {
			fatal(err)
		}
		grab(args[0], d)
	},
	// gap DURATION: as soon as its input ends, never sleeps for so long, and says
	// how many ns it did not run at a time, at the most.
	"gap": func(args []string) {
		d, err := time.ParseDuration(args[0])
		if err != nil {
			fatal(err)
		}
		io.Copy(io.Discard, os.Stdin)
		printLongestGap(d)
	},
	// load PINS: loads the policy stream on its input, strictly ranked.
	"load": func(args []string) { loadStdin(args[0]) },
	// load-without PINS CAPABILITY…: the same as root without these capabilities, or
	// without all.
	"load-without": func(args []string) {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		if args[1] != "all" {
			if err := unix.Capget(&header, &data[0]); err != nil {
				fatal(err)
			}
			for _, capability := range args[1:] {
				data[number(capability)/32].Effective &^= 1 << (number(capability) % 32)
			}
		}
		if err := unix.Capset(&header, &data[0]); err != nil {
			fatal(err)
		}
		loadStdin(args[0])
	},
	// tool PINS: all that needs no policy, each with its error.
	"tool": func(args []string) {
		o := Options{Pins: args[0]}
		_, err := o.Unload()
		fmt.Println("unload:", err)
		_, err = o.Status()
		fmt.Println("status:", err)
		_, err = o.Dump()
		fmt.Println("dump:", err)
	},
	// write FILE...: writes them to its output, and never ends.
	"write": func(files []string) {
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				fatal(err)
			}
			os.Stdout.Write(text)
		}
		unix.Pause()
	},
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(2)
}

// procyield executes PAUSE. QEMU's emulation, which runs one virtual CPU after
// the other, goes on to the next one there; without it a CPU that spins keeps
// the others waiting.
//
//go:linkname procyield runtime.procyield
func procyield(times uint32)

func spinWhile(more func() bool) {
	for more() {
		procyield(10)
	}
}

func becomeRealTime() error {
	param := struct{ priority int32 }{1}
	const fifo = 1
	if _, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, fifo, uintptr(unsafe.Pointer(&param))); errno != 0 {
		return errno
	}
	return nil
}

// grab is the body of that name.
func grab(pid string, d time.Duration) {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		fatal(err)
	}
	// proc(5): the CPU is field 39; the name, field 2, may have blanks.
	_, fields, _ := strings.Cut(string(stat), ") ")
	cpu, err := strconv.Atoi(strings.Fields(fields)[39-3])
	if err != nil {
		fatal(err)
	}
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		fatal(err)
	}
	id, err := strconv.Atoi(pid)
	if err != nil {
		fatal(err)
	}
	clock := int32(^id)<<3 | 2 // as clock_getcpuclockid(3) does
	began, before := clockNs(unix.CLOCK_MONOTONIC), clockNs(clock)
	spinWhile(func() bool { return clockNs(unix.CLOCK_MONOTONIC)-began < d.Nanoseconds() })
	ran, took := clockNs(clock)-before, clockNs(unix.CLOCK_MONOTONIC)-began
	fmt.Printf("%.3f\n", float64(ran)/float64(took))
}

// printLongestGap is the body gap.
func printLongestGap(d time.Duration) { fmt.Println(longestGap(d.Nanoseconds())) }

// longestGap never looks whether the Go runtime asks it to let another thread go
// on, hence nosplit (and asyncpreemptoff): what it waited for then would be that
// thread's turn, too.
//
//go:nosplit
func longestGap(ns int64) (longest int64) {
	var t unix.Timespec
	now := func() int64 {
		syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, unix.CLOCK_MONOTONIC, uintptr(unsafe.Pointer(&t)), 0)
		return t.Sec*1e9 + t.Nsec
	}
	began := now()
	for last := began; last-began < ns; {
		for range 100_000 { // few system calls: emulation is slow at them
		}
		at := now()
		longest = max(longest, at-last)
		last = at
	}
	return longest
}

// clockNs reads a clock.
func clockNs(clock int32) int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(clock, &now); err != nil {
		fatal(err)
	}
	return now.Nano()
}

func loadStdin(pins string) {
	tool := cli.IO{Name: "alps-load", Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	if err := (Options{Pins: pins, MaxWait: maxWait, Functions: NoFunctions}).RunLoad(tool, "", false); err != nil {
		fmt.Fprintf(os.Stderr, "alps-load: %v\n", err)
		os.Exit(1)
	}
}

// maxWait is short, since a task that waits when the policy changes keeps its
// place in the queue until it has run again.
const maxWait = 200 * time.Millisecond

// deadline ends a test that waits for something in vain.
const deadline = 60 * time.Second

var inGuest = os.Getenv("ALPS_VM_GUEST") == "1"

// guest returns the options that the test uses: strict ranks, default pins. It
// skips the test outside the test machine. In the end nothing may be left.
func guest(t *testing.T) Options {
	t.Helper()
	if !inGuest {
		t.Skip("needs a kernel of its own: go test -exec 'alps-vm test --' (docs/vm.md)")
	}
	o := Options{Pins: DefaultPins, MaxWait: maxWait, Functions: NoFunctions}
	nothingLeft(t, o)
	t.Cleanup(func() {
		if _, err := o.Unload(); err != nil {
			t.Error(err)
		}
		nothingLeft(t, o)
	})
	return o
}

// nothingLeft: the kernel's own scheduler is in charge, and there are no pins.
func nothingLeft(t *testing.T, o Options) {
	t.Helper()
	if state := schedExtState(t); state != "disabled" {
		t.Errorf("sched_ext is %s, want disabled", state)
	}
	entries, err := os.ReadDir(filepath.Dir(o.Pins))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "alps") {
			t.Errorf("%s is left in %s", entry.Name(), filepath.Dir(o.Pins))
		}
	}
}

func schedExtState(t *testing.T) string {
	t.Helper()
	state, err := os.ReadFile("/sys/kernel/sched_ext/state")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(state))
}

// load puts a policy in force and tells whether it had to attach.
func load(t *testing.T, o Options, checked *Table) bool {
	t.Helper()
	attached, err := o.Load(checked)
	if err != nil {
		t.Fatal(err)
	}
	return attached
}

// policyText is a table as the policy stream.
func policyText(t *testing.T, checked *Table) string {
	t.Helper()
	var text bytes.Buffer
	w := stream.NewWriter[stream.Policy](&text)
	if err := errors.Join(w.Write(checked.Window, checked.Rows), w.Close()); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

// inForce: this policy is in force, whole.
func inForce(t *testing.T, o Options, want *Table) {
	t.Helper()
	dump, err := o.Dump()
	if err != nil {
		out, why := status(o)
		t.Fatalf("%v; status %v, printing\n%s", err, why, out)
	}
	if string(dump) != policyText(t, want) {
		t.Errorf("dump prints\n%s\nwant\n%s", dump, policyText(t, want))
	}
	status, err := o.Status()
	if err != nil {
		t.Fatal(err)
	}
	if !status.InForce || !status.Pinned || status.Left != nil || status.InCharge != Name {
		t.Errorf("status %+v, left %+v", status, status.Left)
	}
	if status.Window != int64(want.Window) || status.Keys != len(want.Classes) {
		t.Errorf("status has window %d with %d keys, want %d with %d", status.Window, status.Keys, want.Window, len(want.Classes))
	}
	if lost := counter(t, o, "lost"); lost > 0 {
		t.Errorf("%d tasks are lost", lost)
	}
}

func counter(t *testing.T, o Options, name string) uint64 {
	t.Helper()
	status, err := o.Status()
	if err != nil {
		t.Fatal(err)
	}
	value, ok := status.Counters[name]
	if !ok {
		t.Fatalf("no counter %s in %+v", name, status.Counters)
	}
	return value
}

// turnsGrow: tasks with a class get turns.
func turnsGrow(t *testing.T, o Options) {
	t.Helper()
	const turns = 20
	before := counter(t, o, "class_turns")
	eventually(t, "tasks with a class get turns", func() bool {
		return counter(t, o, "class_turns") >= before+turns
	})
}

// turnsStay: no task has a class. That cannot be waited for, so this looks for
// about as long as many turns would take.
func turnsStay(t *testing.T, o Options) {
	t.Helper()
	before := counter(t, o, "class_turns")
	time.Sleep(200 * time.Millisecond)
	if after := counter(t, o, "class_turns"); after != before {
		t.Errorf("%d turns of tasks with a class", after-before)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never comes that %s", what)
		}
	}
}

// cgroup makes a cgroup by its path in the hierarchy, and those above it.
func cgroup(t *testing.T, path string) {
	t.Helper()
	if path == "/" {
		return
	}
	cgroup(t, filepath.Dir(path))
	dir := "/sys/fs/cgroup" + path
	if err := os.Mkdir(dir, 0o755); errors.Is(err, fs.ErrExist) {
		return
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		eventually(t, dir+" can be removed", func() bool { return os.Remove(dir) == nil })
	})
}

// body is a process, not yet started, that does one of the bodies. Its name is
// that of its comm.
func body(t *testing.T, name string, words ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link)
	cmd.Env = append(os.Environ(), bodyEnv+"="+strings.Join(words, " "), "GOGC=off")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// hogCPU is the CPU that all processes of a test share. The other one is left
// to the test: the emulator runs one CPU after the other, and if both are busy
// their ticks come so late that a turn of 1 ms can last for 100.
func hogCPU() int { return runtime.NumCPU() - 1 }

// start starts a process on hogCPU, in a cgroup from its first instruction
// on ("": in the test's). It is killed in the end, and all that it forked.
func start(t *testing.T, cgroup string, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if cgroup != "" {
		dir, err := os.Open("/sys/fs/cgroup" + cgroup)
		if err != nil {
			t.Fatal(err)
		}
		defer dir.Close()
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	// What a thread may use, the processes that it starts may.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	one.Set(hogCPU())
	if err := errors.Join(unix.SchedGetaffinity(0, &all), unix.SchedSetaffinity(0, &one)); err != nil {
		t.Fatal(err)
	}
	defer unix.SchedSetaffinity(0, &all)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

// startAnywhere starts a process that may run on every CPU. It is killed in the
// end.
func startAnywhere(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

// kill ends a started process and its forks, and waits for it.
func kill(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	cmd.Wait()
}

// cpuTime is what a running process has used.
func cpuTime(t *testing.T, cmd *exec.Cmd) time.Duration {
	t.Helper()
	var used unix.Timespec
	clock := int32(^cmd.Process.Pid)<<3 | 2 // as clock_getcpuclockid(3) does
	if err := unix.ClockGettime(clock, &used); err != nil {
		t.Fatal(err)
	}
	return time.Duration(used.Nano())
}

// isFirst: of two processes that spin, one gets most of hogCPU. The other gets
// the turns of the starvation bound, which end with a tick of the clock; ticks
// come late in emulation. Where the host lets the emulator stand still, whoever
// runs gets all of that time: so it has to be seen three times in a row.
func isFirst(t *testing.T, first, second *exec.Cmd) {
	t.Helper()
	what := fmt.Sprintf("%s gets four times the CPU time of %s", filepath.Base(first.Path), filepath.Base(second.Path))
	inARow := 0
	eventually(t, what, func() bool {
		const look = 3 * maxWait / 2
		a, b := cpuTime(t, first), cpuTime(t, second)
		time.Sleep(look)
		a, b = cpuTime(t, first)-a, cpuTime(t, second)-b
		if a > look/8 && a > 4*b {
			inARow++
		} else {
			inARow = 0
		}
		return inARow == 3
	})
}
