package collect

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"alps/internal/stream"
)

// inCgroup are the options of a run where an invocation is a spell of a cgroup
// below this one.
func inCgroup(path string) Options {
	return Options{Window: time.Hour, Invocation: stream.Cgroup, Filter: Filter{Under: path}}
}

// server is a body that serves.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	used time.Duration // when it answered last
}

// serve starts a body that serves and is in a cgroup.
func serve(t *testing.T, dir, name string) *server {
	t.Helper()
	cmd := bodyIn(t, dir, name, "serve")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	return &server{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
}

// ask has the server burn so much, and returns the CPU time that it has used since
// it answered last.
func (s *server) ask(burn time.Duration) time.Duration {
	s.t.Helper()
	fmt.Fprintln(s.in, burn)
	var used time.Duration
	if _, err := fmt.Fscanln(s.out, &used); err != nil {
		s.t.Fatal(err)
	}
	since := used - s.used
	s.used = used
	return since
}

// freeze freezes or thaws a cgroup and waits until it is.
func freeze(t *testing.T, dir string, frozen int) {
	t.Helper()
	if err := os.WriteFile(dir+"/cgroup.freeze", fmt.Append(nil, frozen), 0); err != nil {
		t.Skip("the kernel does not freeze cgroups:", err)
	}
	for range 1000 {
		events, err := os.ReadFile(dir + "/cgroup.events")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(events), fmt.Sprint("frozen ", frozen)) {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s is not frozen %d after a second", dir, frozen)
}

// untilEmpty does something that has a cgroup's last process end, and waits until the
// kernel tells that the cgroup is empty. Since 6.19 it is so when that process has left
// its CPU for good, which may be after its parent has been told of its end.
func untilEmpty(t *testing.T, dir string, do func()) {
	t.Helper()
	events, err := os.Open(dir + "/cgroup.events")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	populated := func() bool {
		text := make([]byte, 100)
		n, err := events.ReadAt(text, 0)
		if n == 0 {
			t.Fatal(err)
		}
		return strings.Contains(string(text[:n]), "populated 1")
	}
	if !populated() {
		t.Fatal(dir, "is empty already")
	}
	do()
	for range 1000 {
		// It becomes readable after the tracepoint by which the collector knows.
		changed := []unix.PollFd{{Fd: int32(events.Fd()), Events: unix.POLLPRI}}
		if n, err := unix.Poll(changed, 10); n == 1 && err == nil && !populated() {
			return
		}
	}
	t.Fatal(dir, "is not empty 10 s later")
}

// schedstat is what the kernel has counted of a process's threads.
type schedstat struct{ cpu, wait time.Duration }

func schedstatOf(t *testing.T, pid int) (sum schedstat) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("no schedstat of %d: %v", pid, err)
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var one schedstat
		if _, err := fmt.Sscan(string(text), &one.cpu, &one.wait); err != nil {
			t.Fatalf("%s: %q: %v", file, text, err)
		}
		sum.cpu += one.cpu
		sum.wait += one.wait
	}
	return sum
}

// A cgroup that gets processes, and has none any more: one spell, whoever of them
// comes and goes meanwhile.
func TestSpellFromPopulatedToEmpty(t *testing.T) {
	path, dir := newCgroup(t, "fn")
	s := collect(t, inCgroup(path))
	before := cpuTime(1)
	holder := bodyIn(t, dir+"/fn", "holder", "sleep")
	start(t, holder)
	want := runIn(t, dir+"/fn", "handler", "burn", "30ms") + runIn(t, dir+"/fn", "handler", "threads", "2", "40ms")
	untilEmpty(t, dir+"/fn", func() { kill(holder) })
	want += holder.ProcessState.UserTime() + holder.ProcessState.SystemTime()
	after := cpuTime(1)
	want += runIn(t, dir+"/fn", "handler", "burn", "20ms")

	rows := s.finish()
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2: %+v\n%s", len(rows), rows, &s.messages)
	}
	for _, row := range rows {
		if row.Kind != stream.Cgroup || row.Class != "fn" || row.Key != "cgroup:"+path+"/fn" || !row.EndNs.Valid {
			t.Errorf("%+v", row)
		}
	}
	if int64(rows[0].ArrivalNs) < before || int64(rows[0].EndNs.Nanos) > after || rows[1].ArrivalNs < rows[0].EndNs.Nanos {
		t.Errorf("from %d to %d, and from %d; ran between %d and %d", rows[0].ArrivalNs, rows[0].EndNs.Nanos, rows[1].ArrivalNs, before, after)
	}
	// What a process takes to leave after it is out of its cgroup is not counted.
	total := time.Duration(rows[0].CPUNs + rows[1].CPUNs)
	if total > want+want/50+slack() || total < want-want/50-4*time.Millisecond-slack() {
		t.Errorf("CPU time %v, the kernel says %v", total, want)
	}
}

// A container that is frozen between requests: each time that it is thawed is an
// invocation, whichever requests it had before.
func TestSpellFromThawToFreeze(t *testing.T) {
	path, dir := newCgroup(t, "fn")
	fn := serve(t, dir+"/fn", "server") // which was there before the collector
	fn.ask(10 * time.Millisecond)
	freeze(t, dir+"/fn", 1)
	s := collect(t, inCgroup(path))
	// Frozen, all threads are off the CPU, so the kernel's sums are whole.
	var want []schedstat
	for i := range 6 {
		burn := []time.Duration{50 * time.Millisecond, 5 * time.Millisecond, 100 * time.Millisecond}[i%3]
		time.Sleep(50 * time.Millisecond) // the last thread may have yet to leave the CPU
		before := schedstatOf(t, fn.cmd.Process.Pid)
		freeze(t, dir+"/fn", 0)
		fn.ask(burn)
		freeze(t, dir+"/fn", 1)
		time.Sleep(50 * time.Millisecond)
		after := schedstatOf(t, fn.cmd.Process.Pid)
		want = append(want, schedstat{after.cpu - before.cpu, after.wait - before.wait})
	}
	rows := s.finish()
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d: %+v\n%s", len(rows), len(want), rows, &s.messages)
	}
	late := 0
	for i := range rows {
		// What the last thread takes to leave the CPU comes after the end: some µs, in
		// an emulator more.
		if got, want := time.Duration(rows[i].CPUNs), want[i].cpu; !aboutEqual(got, want) && !aboutEqual(got+min(4*time.Millisecond, max(want-got, 0)), want) {
			t.Errorf("CPU time %v, the kernel says %v: %+v", got, want, rows[i])
		}
		if got := time.Duration(rows[i].WaitNs); (got - want[i].wait).Abs() > max(want[i].wait/20, time.Millisecond)+slack() {
			t.Logf("waited %v, the kernel says %v", got, want[i].wait)
			late++
		}
		if !rows[i].EndNs.Valid || rows[i].Switches == 0 || rows[i].Sleeps > rows[i].Switches {
			t.Errorf("no end, or switches that cannot be: %+v", rows[i])
		}
		if i > 0 && rows[i].ArrivalNs <= rows[i-1].EndNs.Nanos {
			t.Errorf("begins before the one before ended: %+v, %+v", rows[i-1], rows[i])
		}
	}
	// The last thread may be pushed off the CPU when all are frozen, and it has yet to
	// leave it; then it waits after the end.
	if late > len(rows)/2 {
		t.Errorf("%d waits of %d are not the kernel's", late, len(rows))
	}
}

// Who is thawed when the collector comes is no invocation, as nobody knows since
// when; the next time that it is, it is one.
func TestSpellFromBeforeIsLeftOut(t *testing.T) {
	path, dir := newCgroup(t, "fn")
	fn := serve(t, dir+"/fn", "server")
	fn.ask(10 * time.Millisecond)
	s := collect(t, inCgroup(path))
	fn.ask(10 * time.Millisecond)
	freeze(t, dir+"/fn", 1)
	freeze(t, dir+"/fn", 0)
	want := fn.ask(20 * time.Millisecond)
	kill(fn.cmd)
	row := s.one()
	if got := time.Duration(row.CPUNs); got < 19*time.Millisecond-slack() || got > 2*want+slack() {
		t.Errorf("CPU time %v, want 20ms and what it takes to be killed; the kernel says %v, with what came before", got, want)
	}
}

// Killed while it is frozen: it ended when it was frozen.
func TestSpellKilledWhileFrozen(t *testing.T) {
	path, dir := newCgroup(t, "fn")
	s := collect(t, inCgroup(path))
	fn := serve(t, dir+"/fn", "server")
	fn.ask(10 * time.Millisecond)
	freeze(t, dir+"/fn", 1)
	frozen := cpuTime(1) + int64(slack()) // when the last thread has left its CPU, too
	time.Sleep(20 * time.Millisecond)
	kill(fn.cmd)
	if row := s.one(); !row.EndNs.Valid || int64(row.EndNs.Nanos) > frozen {
		t.Errorf("frozen by %d: %+v", frozen, row)
	}
}

// Of two that never sleep and share a CPU, one is in the cgroup: at any moment,
// the time that its spell has lasted is what it ran and what it waited.
func TestSpellIsCountedToTheEdge(t *testing.T) {
	path, dir := newCgroup(t, "fn")
	traced, err := newTracer(&Options{Invocation: stream.Cgroup, sizes: defaultSizes})
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	awayFromCPU0(t)
	var spinner string
	for range 2 {
		cmd := body(t, "starter", "spin", "spinner")
		cmd.Env = append(cmd.Env, cpuEnv+"=0")
		start(t, cmd)
		spinner = onlyChild(t, cmd.Process.Pid)
	}
	if err := os.WriteFile(dir+"/fn/cgroup.procs", []byte(spinner), 0); err != nil {
		t.Fatal(err)
	}
	var last time.Duration
	readings, bad := 0, 0
	for ; readings < 80; readings++ {
		// Not in step with the ticks.
		time.Sleep(5*time.Millisecond + time.Duration(readings%7)*700*time.Microsecond)
		living, err := traced.Living()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range living {
			if p.Cgroup != path+"/fn" {
				continue
			}
			missed := time.Duration(p.LifeNs - p.CPUNs - p.WaitNs)
			if readings > 0 && (missed-last).Abs() > time.Millisecond+slack() {
				t.Logf("of %v it ran %v and waited %v", time.Duration(p.LifeNs), time.Duration(p.CPUNs), time.Duration(p.WaitNs))
				bad++
			}
			last = missed
		}
	}
	// An emulator may stop a CPU anywhere.
	if last == 0 || bad > readings/2 {
		t.Errorf("%d of %d readings are off by more than 1 ms", bad, readings)
	}
}

// onlyChild waits for the child of a process and returns its pid.
func onlyChild(t *testing.T, pid int) string {
	t.Helper()
	for range 1000 {
		children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
		if err != nil || len(children) == 0 {
			t.Skip("the kernel does not tell children")
		}
		for _, file := range children {
			if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
				return strings.TrimSpace(string(text))
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%d has no child", pid)
	return ""
}

// Those of a cgroup above have no processes of their own.
func TestSpellOfTheCgroupWithTheProcesses(t *testing.T) {
	path, dir := newCgroup(t, "pod", "pod/container")
	s := collect(t, inCgroup(path))
	runIn(t, dir+"/pod/container", "handler", "burn", "5ms")
	if row := s.one(); row.Class != "pod/container" {
		t.Errorf("class %q", row.Class)
	}
}

func TestSpellHasNoName(t *testing.T) {
	for _, o := range []Options{{Class: ByComm}, {Filter: Filter{Comms: []string{"x"}}}} {
		o.Window, o.Invocation = time.Second, stream.Cgroup
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), "has no name") {
			t.Errorf("%+v: error %v", o, err)
		}
	}
	if err := (Options{Window: time.Second, Invocation: "thread"}).Check(); err == nil {
		t.Error("invocation thread: no error")
	}
}
