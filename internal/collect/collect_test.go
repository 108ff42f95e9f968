package collect

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"alps/internal/stream"
)

// byComm are the options of a run that takes the bodies of that name.
func byComm(name string) Options {
	return Options{Window: time.Hour, Class: ByComm, Filter: Filter{Comms: []string{name}}}
}

func TestCPUTimeIsTheKernels(t *testing.T) {
	const name = "fn-cpu"
	for _, burn := range []string{"5ms", "20ms", "100ms", "500ms", "2s"} {
		t.Run(burn, func(t *testing.T) {
			// One thread, and its parent on the same CPU: the parent cannot
			// ask for what it used before it is off the CPU.
			checkCPUTime(t, name, 0, func() time.Duration { return runRenamed(t, name, burn) })
		})
	}
	for _, test := range []struct {
		name string
		body []string
		// The kernel does not count what a thread but the last takes to
		// leave after it is off the lists: some us, in an emulator more.
		leaving time.Duration
	}{
		{"4 threads", []string{"threads", "4", "50ms"}, 4 * time.Millisecond},
		{"the leader exits first", []string{"leaderexit", "50ms"}, 4 * time.Millisecond},
		{"exec, exec", []string{"exec", "exec", "burn", "20ms"}, 0},
		{"exec by a thread", []string{"execthread", "30ms", "burn", "40ms"}, 4 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			checkCPUTime(t, name, test.leaving, func() time.Duration { return run(t, body(t, name, test.body...)) })
		})
	}
}

// checkCPUTime collects the one invocation that invoke makes and compares its
// row with the CPU time that invoke returns. The row may have up to leaving more.
func checkCPUTime(t *testing.T, name string, leaving time.Duration, invoke func() time.Duration) {
	t.Helper()
	s := collect(t, byComm(name))
	before := cpuTime(unix.CLOCK_MONOTONIC)
	want := invoke()
	after := cpuTime(unix.CLOCK_MONOTONIC)
	row := s.one()

	got := time.Duration(row.CPUNs)
	if !aboutEqual(got, want) && !aboutEqual(got, want+min(leaving, max(got-want, 0))) {
		t.Errorf("CPU time %v, the kernel says %v", got, want)
	}
	if string(row.Class) != name || string(row.Key) != "comm:"+name {
		t.Errorf("class %q, key %q", row.Class, row.Key)
	}
	if int64(row.ArrivalNs) < before || int64(row.ArrivalNs) > after || !row.EndNs.Valid || row.EndNs.Nanos <= row.ArrivalNs {
		t.Errorf("from %d to %+v, but ran between %d and %d", row.ArrivalNs, row.EndNs, before, after)
	}
}

// A process with one thread runs, waits or sleeps. These two never sleep. What
// a hypervisor steals while they run is the rest.
func TestWaitIsTheRest(t *testing.T) {
	const name = "fn-rest"
	s := collect(t, byComm(name))
	stolenBefore := stolen(t, 0)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { runRenamed(t, name, "500ms") })
	}
	both.Wait()
	// /proc/stat counts in steps of 10 ms.
	rest := stolen(t, 0) - stolenBefore + 10*time.Millisecond
	rows := s.finish()
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2", len(rows))
	}
	for _, row := range rows {
		life := time.Duration(row.EndNs.Nanos - row.ArrivalNs)
		sum := time.Duration(row.CPUNs + row.WaitNs)
		if !aboutEqual(sum+min(rest, max(life-sum, 0)), life) {
			t.Errorf("CPU time %d + wait %d = %v, lived for %v, at most %v of it stolen", row.CPUNs, row.WaitNs, sum, life, rest)
		}
	}
}

func TestSleepIsBlock(t *testing.T) {
	const name = "fn-sleep"
	s := collect(t, byComm(name))
	cmd := body(t, name, "sleep")
	start(t, cmd)
	time.Sleep(200 * time.Millisecond)
	kill(cmd)
	if row := s.one(); row.BlockNs < 150e6 {
		t.Errorf("slept for %v, want 0.2s: %+v", time.Duration(row.BlockNs), row)
	}
}

func TestLivingComeAgain(t *testing.T) {
	const name = "fn-living"
	options := byComm(name)
	options.Window = 200 * time.Millisecond
	s := collect(t, options)
	cmd := body(t, name, "burnsleep", "300ms")
	start(t, cmd)
	var rows []stream.Invocation
	for len(rows) < 5 {
		window, ok := <-s.windows
		if !ok {
			t.Fatal("ended early")
		}
		rows = append(rows, window...)
		if window[0].EndNs.Valid {
			t.Fatalf("it ended: %+v", rows)
		}
	}
	kill(cmd)
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	rows = append(rows, s.finish()...)

	last := rows[len(rows)-1]
	for i, row := range rows {
		switch {
		case row.Invocation != last.Invocation || row.ArrivalNs != last.ArrivalNs:
			t.Errorf("row %d is of another invocation: %+v, %+v", i, row, last)
		case row.Rows != 1:
			t.Errorf("row %d is one of %d", i, row.Rows)
		case i > 0 && (row.CPUNs < rows[i-1].CPUNs || row.Window <= rows[i-1].Window):
			t.Errorf("row %d did not grow: %+v, %+v", i, rows[i-1], row)
		case row.EndNs.Valid != (i == len(rows)-1):
			t.Errorf("row %d of %d has the end %+v", i, len(rows), row.EndNs)
		}
	}
	if rows[0].CPUNs >= last.CPUNs {
		t.Errorf("it ended with the CPU time it had at first: %+v", last)
	}
	if got := time.Duration(last.CPUNs); !aboutEqual(got, used) {
		t.Errorf("CPU time %v, the kernel says %v", got, used)
	}
}

// The kernel books CPU time at ticks and switches, up to 10 ms apart, and the
// time that a thread waits when the wait is over; a row has both up to the
// moment at which it was made. Two processes that never sleep share a CPU: at
// any moment, their lives are what they ran and what they waited. (They may
// not ask for their CPU time: the kernel books it then.)
func TestTimesAreCountedToTheEdge(t *testing.T) {
	const name = "fn-edge"
	needKernel(t)
	traced, err := newTracer(&Options{sizes: defaultSizes})
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	awayFromCPU0(t)
	for range 2 {
		cmd := body(t, "starter", "spin", name)
		cmd.Env = append(cmd.Env, cpuEnv+"=0")
		start(t, cmd)
	}
	// What the fork took is in neither of the two, nor is what a hypervisor
	// steals now and then: so it is compared with the reading before.
	last := map[processID]time.Duration{}
	readings, bad := 0, 0
	for readings < 160 {
		// Not in step with the ticks.
		time.Sleep(5*time.Millisecond + time.Duration(readings%7)*700*time.Microsecond)
		living, err := traced.Living()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range living {
			if p.Comm != name {
				continue
			}
			readings++
			missed := time.Duration(p.LifeNs - p.CPUNs - p.WaitNs)
			before, again := last[p.processID]
			last[p.processID] = missed
			if again && (missed-before).Abs() > time.Millisecond {
				t.Logf("of %v it ran %v and waited %v", time.Duration(p.LifeNs), time.Duration(p.CPUNs), time.Duration(p.WaitNs))
				bad++
			}
		}
	}
	if bad > readings/10 {
		t.Errorf("%d of %d readings are off by more than 1 ms", bad, readings)
	}
}

// awayFromCPU0 runs the test on another CPU, if there is one: on the same, it
// would find nobody else running.
func awayFromCPU0(t *testing.T) {
	t.Helper()
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	if !allowed.IsSet(1) {
		return
	}
	runtime.LockOSThread()
	pin(1)
	t.Cleanup(func() {
		unix.SchedSetaffinity(0, &allowed)
		runtime.UnlockOSThread()
	})
}

// A leader that has exited stays listed until the other threads have.
func TestDeadLeaderIsCountedOnce(t *testing.T) {
	const name = "fn-leader"
	options := byComm(name)
	options.Window = 300 * time.Millisecond
	s := collect(t, options)
	cmd := body(t, name, "leadersleep", "100ms")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, cmd)
	var told time.Duration
	if _, err := fmt.Fscan(out, &told); err != nil {
		t.Fatal(err)
	}
	var row stream.Invocation
	for range 3 {
		row = (<-s.windows)[0]
	}
	if got := time.Duration(row.CPUNs); got < told || got > told+80*time.Millisecond {
		t.Errorf("CPU time %v, want a little more than %v", got, told)
	}
}

func TestForkAloneIsNoInvocation(t *testing.T) {
	const name = "fn-server"
	s := collect(t, byComm(name))
	total := run(t, body(t, name, "fork", "30ms"))
	if row := s.one(); time.Duration(row.CPUNs) > total-25*time.Millisecond {
		t.Errorf("the fork's CPU time is in it: %v of %v", time.Duration(row.CPUNs), total)
	}
}

// A server that forks a handler that forks a program: the server (which the
// test starts) and the program count, the handler does not.
func TestForkedProgramOfAForkCounts(t *testing.T) {
	const name = "fn-server"
	s := collect(t, byComm(name))
	run(t, body(t, name, "request", "20ms"))
	rows := s.finish()
	if len(rows) != 2 || rows[0].ArrivalNs >= rows[1].ArrivalNs || rows[1].CPUNs < 20e6 {
		t.Errorf("want the server and a program of 20ms: %+v", rows)
	}
}

func TestThreadNameIsNotTheProcesss(t *testing.T) {
	const name = "fn-named"
	s := collect(t, byComm(name))
	run(t, body(t, name, "threadname", "worker", "5ms"))
	if row := s.one(); row.Class != name {
		t.Errorf("class %q, want %q", row.Class, name)
	}
}

func TestProcessesFromBeforeAreLeftOut(t *testing.T) {
	needKernel(t)
	const name = "fn-old"
	cmd := body(t, name, "burnsleep", "10ms")
	start(t, cmd)
	s := collect(t, byComm(name))
	kill(cmd)
	if rows := s.finish(); len(rows) > 0 {
		t.Errorf("%+v", rows)
	}
}

// The second of two processes with one pid is another invocation.
func TestPIDReuse(t *testing.T) {
	const lastPID = "/proc/sys/kernel/ns_last_pid"
	const name = "fn-reuse"
	s := collect(t, byComm(name))
	if _, err := os.Stat(lastPID); err != nil {
		t.Skip("the kernel does not let the next pid be chosen:", err)
	}
	for range 100 {
		first := body(t, name, "burn", "1ms")
		run(t, first)
		// Nothing else may fork in between, so it takes some tries.
		second := body(t, name, "burn", "1ms")
		if err := os.WriteFile(lastPID, []byte(strconv.Itoa(first.Process.Pid-1)), 0); err != nil {
			t.Fatal(err)
		}
		run(t, second)
		if second.Process.Pid != first.Process.Pid {
			continue
		}
		rows := s.finish()
		last := rows[max(len(rows)-2, 0):]
		if len(last) != 2 || last[0].Invocation == last[1].Invocation || last[0].EndNs.Nanos >= last[1].ArrivalNs {
			t.Errorf("rows of pid %d: %+v", first.Process.Pid, last)
		}
		return
	}
	t.Skip("no pid came twice")
}

func TestUtilisationAndCPUs(t *testing.T) {
	const name = "fn-util"
	options := byComm(name)
	options.CPUs = CPUs{Number: 1}
	s := collect(t, options)
	run(t, body(t, name, "burn", "50ms"))
	if row := s.one(); row.CPUs != 1 || row.UtilPct <= 0 || row.UtilPct > 100 {
		t.Errorf("cpus %d, util_pct %v", row.CPUs, row.UtilPct)
	}
}

func TestLostEventsAreCounted(t *testing.T) {
	t.Run("table full", func(t *testing.T) {
		const name = "fn-table"
		options := byComm(name)
		options.sizes = sizes{Invocations: 2, RingBytes: 4096}
		s := collect(t, options)
		for range 16 {
			start(t, body(t, name, "sleep"))
		}
		rows := s.finish()
		wantMessage(t, s, "more alive at once than the table holds")
		for _, row := range rows {
			if row.Lost == 0 {
				t.Errorf("nothing in the column lost: %+v", row)
			}
		}
	})
	t.Run("ring full", func(t *testing.T) {
		const name = "fn-ring"
		options := byComm(name)
		options.sizes = sizes{Invocations: 1024, RingBytes: 4096}
		s := collect(t, options)
		// A fork that renames itself ends within µs; 100 of them fill the
		// page before the collector looks. It cannot look while the starters, of
		// which there are several a CPU, run in real time; where forks are slow it
		// would else keep up.
		starters := make([]*exec.Cmd, 4*runtime.NumCPU())
		for i := range starters {
			starters[i] = body(t, "starter", "renames", strconv.Itoa(2000/len(starters)), name)
			if err := starters[i].Start(); err != nil {
				t.Fatal(err)
			}
			inRealTime(t, starters[i].Process.Pid)
		}
		for _, starter := range starters {
			if err := starter.Wait(); err != nil {
				t.Fatal(err)
			}
		}
		got := uint64(len(s.finish()))
		wantMessage(t, s, "ring buffer full")
		if got == 0 || got >= 2000 {
			t.Errorf("%d rows of 2000", got)
		}
	})
}

// inRealTime makes all threads of a process, and what they start, SCHED_FIFO.
func inRealTime(t *testing.T, pid int) {
	t.Helper()
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = unix.SchedSetAttr(tid, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
