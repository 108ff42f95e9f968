package load

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"alps/bpf"
)

// What the scheduler costs, in virtual time: that counts instructions, and not
// how busy the host is. make bench prints the figures.

// rounds of a ball between two processes are so many, in so many goes.
const rounds, goes = 20_000, 50

func init() {
	// ping N: hands a ball to pong and waits for it to come back, N times, and
	// tells how many ns a turn took: the median of so many goes, as the kernel has
	// other work now and then.
	bodies["ping"] = func(args []string) {
		n := number(args[0]) / goes
		took := make([]int64, goes+1)
		for i := range took {
			var began, ended unix.Timespec
			unix.ClockGettime(unix.CLOCK_MONOTONIC, &began)
			for range n {
				if !hand(unix.SYS_WRITE, 4) || !hand(unix.SYS_READ, 3) {
					fatal(errors.New("the ball is lost"))
				}
			}
			unix.ClockGettime(unix.CLOCK_MONOTONIC, &ended)
			took[i] = (ended.Nano() - began.Nano()) / int64(2*n)
		}
		took = took[1:] // with the first, all is warm
		slices.Sort(took)
		fmt.Println(took[goes/2])
	}
	// pong hands the ball back, until its input ends.
	bodies["pong"] = func([]string) {
		for hand(unix.SYS_READ, 3) && hand(unix.SYS_WRITE, 4) {
		}
	}
}

// hand reads or writes a byte. The runtime is not told of it: it would do much else.
func hand(call, fd uintptr) bool {
	var ball [1]byte
	n, _, errno := syscall.RawSyscall(call, fd, uintptr(unsafe.Pointer(&ball)), 1)
	return n == 1 && errno == 0
}

// switchNs is what a turn of ping and pong takes, with the switch to it.
func switchNs(t *testing.T) int {
	t.Helper()
	pipe := func() (*os.File, *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		return r, w
	}
	thereR, thereW := pipe()
	backR, backW := pipe()
	var out strings.Builder
	ping, pong := body(t, "ping", "ping", fmt.Sprint(rounds)), body(t, "pong", "pong")
	ping.Stdout = &out
	ping.ExtraFiles = []*os.File{backR, thereW}
	pong.ExtraFiles = []*os.File{thereR, backW}
	start(t, "", pong)
	start(t, "", ping)
	for _, file := range []*os.File{thereR, thereW, backR, backW} {
		file.Close()
	}
	if err := errors.Join(ping.Wait(), pong.Wait()); err != nil {
		t.Fatal(err)
	}
	ns, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

// TestSwitchCost: a switch between two processes that hand a ball to each other
// takes hardly longer than under the kernel's own scheduler, whether they are the
// system's, functions of one class, or of two.
func TestSwitchCost(t *testing.T) {
	o := guest(t)
	if os.Getenv("ALPS_VIRTUAL_TIME") == "" {
		t.Skip("needs virtual time: ALPS_VIRTUAL_TIME=1 go test -exec 'alps-vm test --icount 1 --cpus 1 --' -run TestSwitchCost ./internal/load")
	}
	const atMost = 1.15
	kernel := switchNs(t)
	t.Logf("kernel: %d ns a switch", kernel)
	for _, c := range []struct{ name, rows string }{
		{"system tasks", "%d,nobody,comm:nobody,0,1,0,0\n"},
		{"one class", "%d,a,comm:ping,0,1,5000000,1000000\n%[1]d,a,comm:pong,0,1,5000000,1000000\n"},
		{"two classes", "%d,a,comm:ping,0,1,5000000,1000000\n%[1]d,b,comm:pong,0,2,9000000,9000000\n"},
	} {
		load(t, o, table(t, fmt.Sprintf(c.rows, 1)))
		ns := switchNs(t)
		ratio := float64(ns) / float64(kernel)
		t.Logf("%s: %d ns a switch, %.3f times the kernel's", c.name, ns, ratio)
		if ratio > atMost {
			t.Errorf("%s: a switch takes %.3f times as long as the kernel's, want at most %v", c.name, ratio, atMost)
		}
	}
}

// TestDecisionCost tells what the scheduler's programs take a call, by the kernel's
// own statistics, while two processes hand a ball to each other.
func TestDecisionCost(t *testing.T) {
	o := guest(t)
	if os.Getenv("ALPS_VIRTUAL_TIME") == "" {
		t.Skip("needs virtual time, see TestSwitchCost")
	}
	load(t, o, table(t, "1,a,comm:ping,0,1,5000000,1000000\n1,b,comm:pong,0,2,9000000,9000000\n"))
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		t.Fatal(err)
	}
	defer stats.Close()
	switchNs(t)
	spec, err := bpf.LoadSched()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for id := ebpf.ProgramID(0); ; {
		if id, err = ebpf.ProgramGetNextID(id); err != nil {
			break
		}
		program, err := ebpf.NewProgramFromID(id)
		if err != nil {
			t.Fatal(err)
		}
		info, err := program.Info()
		if err != nil {
			t.Fatal(err)
		}
		stats, err := program.Stats()
		program.Close()
		if err != nil {
			t.Fatal(err)
		}
		if spec.Programs[info.Name] == nil || stats.RunCount < rounds {
			continue
		}
		seen++
		t.Logf("%s: %d ns a call, %.2f calls a turn", info.Name, stats.Runtime.Nanoseconds()/int64(stats.RunCount), float64(stats.RunCount)/(2*rounds))
	}
	if seen < 4 { // enqueue, dispatch, running, quiescent
		t.Errorf("%d programs were called for each turn", seen)
	}
}

// TestForkAndSwitch: hackbench, which forks and passes messages and does nothing else,
// takes hardly longer than under the kernel's own scheduler, as system tasks and as
// functions. make bench runs it on 8 CPUs in 2 sockets.
func TestForkAndSwitch(t *testing.T) {
	o := guest(t)
	if os.Getenv("ALPS_VIRTUAL_TIME") == "" {
		t.Skip("needs virtual time, see TestSwitchCost")
	}
	path, err := exec.LookPath("hackbench")
	if err != nil {
		t.Skip("no hackbench in the machine: alps-vm test --program rt-tests:hackbench")
	}
	const throughput = 0.95 // of the kernel's
	run := func(group string) float64 {
		t.Helper()
		cmd := exec.Command(path, "--groups", "4", "--loops", "100", "--pipe")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if group != "" {
			dir, err := os.Open("/sys/fs/cgroup" + group)
			if err != nil {
				t.Fatal(err)
			}
			defer dir.Close()
			cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		_, text, _ := strings.Cut(string(out), "Time: ")
		seconds, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			t.Fatalf("hackbench says %q", out)
		}
		return seconds
	}
	cgroup(t, stressGroup)
	kernel := run(stressGroup)
	t.Logf("kernel: %.3f s", kernel)
	load(t, o, stressPolicy(t))
	for _, c := range []struct{ name, group string }{{"system tasks", ""}, {"functions", stressGroup}} {
		took := run(c.group)
		t.Logf("%s: %.3f s, %.3f of the kernel's throughput", c.name, took, kernel/took)
		if kernel/took < throughput {
			t.Errorf("%s: %.3f of the kernel's throughput, want at least %v", c.name, kernel/took, throughput)
		}
	}
}
