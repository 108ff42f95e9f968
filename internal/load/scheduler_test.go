package load

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ranks is a policy with these keys at ranks 1, 2, …
func ranks(t *testing.T, window int, keys ...string) *Table {
	t.Helper()
	var rows strings.Builder
	for i, key := range keys {
		fmt.Fprintf(&rows, "%d,f%d,%s,0,%d,0,0\n", window, i, key, i+1)
	}
	return table(t, rows.String())
}

func TestLoadStatusDumpUnload(t *testing.T) {
	o := guest(t)
	cgroup(t, "/alps-test/a")
	worker := start(t, "/alps-test/a", body(t, "worker", "blink"))
	policy := table(t, "7,a,cgroup:/alps-test/a,0,1,4000000,5000000\n7,a,cgroup:/alps-test/a,9000000,2,0,90000000\n7,b,comm:b,0,2,0,0\n")

	status, err := o.Status()
	if err != nil || status.InForce || status.Pinned || status.InCharge != "" {
		t.Errorf("before: status %+v, %v", status, err)
	}
	if _, err := o.Dump(); err == nil || err.Error() != "no policy of /sys/fs/bpf/alps is in force" {
		t.Errorf("before: dump says %v", err)
	}
	if removed, err := o.Unload(); removed || err != nil {
		t.Errorf("before: unload says %v, %v", removed, err)
	}

	if !load(t, o, policy) {
		t.Error("it did not attach")
	}
	inForce(t, o, policy)
	turnsGrow(t, o)
	if pins, err := os.Stat(o.Pins); err != nil || pins.Mode().Perm() != 0o700 {
		t.Errorf("the pins' directory: %v, %v; want it for its owner alone", pins.Mode(), err)
	}

	next := table(t, "8,b,comm:b,0,1,0,0\n")
	if load(t, o, next) {
		t.Error("it attached twice")
	}
	inForce(t, o, next)

	if removed, err := o.Unload(); !removed || err != nil {
		t.Errorf("unload says %v, %v", removed, err)
	}
	nothingLeft(t, o)
	before := cpuTime(t, worker)
	eventually(t, "the workload goes on after unload", func() bool { return cpuTime(t, worker) > before })
}

// Of two that spin on one CPU the better rank gets it, whichever came first,
// and another policy turns them round.
func TestRankIsTheOrder(t *testing.T) {
	o := guest(t)
	for _, group := range []string{"/alps-test/a", "/alps-test/b"} {
		cgroup(t, group)
	}
	a := start(t, "/alps-test/a", body(t, "a", "spin"))
	b := start(t, "/alps-test/b", body(t, "b", "spin"))
	load(t, o, ranks(t, 1, "cgroup:/alps-test/a", "cgroup:/alps-test/b"))
	isFirst(t, a, b)
	load(t, o, ranks(t, 2, "cgroup:/alps-test/b", "cgroup:/alps-test/a"))
	isFirst(t, b, a)
	// By the names of the threads.
	load(t, o, ranks(t, 3, "comm:a", "comm:b"))
	isFirst(t, a, b)
	load(t, o, ranks(t, 4, "comm:b", "comm:a"))
	isFirst(t, b, a)
	// The cgroup counts before the name.
	load(t, o, ranks(t, 5, "cgroup:/alps-test/a", "comm:b", "comm:a"))
	isFirst(t, a, b)
	// Without a class they are system tasks, before all functions.
	load(t, o, ranks(t, 6, "comm:a"))
	isFirst(t, b, a)
	if counter(t, o, "promotions") == 0 {
		t.Error("nobody was served by the starvation bound")
	}
}

// A policy that is too old is dropped to fair order, until the next one.
func TestMaxAge(t *testing.T) {
	o := guest(t)
	a := start(t, "", body(t, "a", "spin"))
	b := start(t, "", body(t, "b", "spin"))
	o.MaxAge = time.Hour
	load(t, o, ranks(t, 1, "comm:a", "comm:b"))
	isFirst(t, a, b)
	o.MaxAge = time.Millisecond
	load(t, o, ranks(t, 2, "comm:a", "comm:b"))
	shareAlike(t, a, b)
	if status, err := o.Status(); err != nil || !status.InForce || !status.Expired() {
		t.Errorf("status %+v, %v", status, err)
	}
	o.MaxAge = 0
	load(t, o, ranks(t, 3, "comm:b", "comm:a"))
	isFirst(t, b, a)
	if status, err := o.Status(); err != nil || status.Expired() {
		t.Errorf("status %+v, %v", status, err)
	}
}

// Of classes that the next policy has no more, the functions go on, as tasks
// without a class: fairly among themselves.
func TestClassIsGone(t *testing.T) {
	o := guest(t)
	a := start(t, "", body(t, "a", "spin"))
	b := start(t, "", body(t, "b", "spin"))
	load(t, o, ranks(t, 1, "comm:a", "comm:b"))
	isFirst(t, a, b)
	load(t, o, ranks(t, 2, "comm:other"))
	shareAlike(t, a, b)
	turnsStay(t, o)
	load(t, o, ranks(t, 3, "comm:b", "comm:a"))
	isFirst(t, b, a)
}

// shareAlike: of two that spin neither gets much more than the other.
func shareAlike(t *testing.T, a, b *exec.Cmd) {
	t.Helper()
	eventually(t, "both get much the same", func() bool {
		const look = 500 * time.Millisecond
		ofA, ofB := cpuTime(t, a), cpuTime(t, b)
		time.Sleep(look)
		ofA, ofB = cpuTime(t, a)-ofA, cpuTime(t, b)-ofB
		return ofB > look/8 && 3*ofA < 5*ofB && 3*ofB < 5*ofA
	})
}

// A function that comes with a better rank takes the CPU at once, not at the
// end of the slice at hand.
func TestBetterRankPreempts(t *testing.T) {
	o := guest(t)
	load(t, o, table(t, "1,blink,comm:blink,0,1,0,0\n1,hog,comm:hog,0,2,1000000000,0\n"))
	start(t, "", body(t, "hog", "spin"))
	turnsGrow(t, o)
	start(t, "", body(t, "blink", "blink"))
	before := counter(t, o, "preemptions")
	eventually(t, "functions of a better rank preempt", func() bool { return counter(t, o, "preemptions") > before+20 })
}

// Functions that are past their deadlines have half of the time, not all of it, beside
// others that are not.
func TestLateHaveHalf(t *testing.T) {
	o := guest(t)
	o.Stretch = 1
	// Of two steps, so that who has used much is not taken for one that needs much.
	const rows = "1,late,comm:late,0,1,0,1000000\n1,late,comm:late,3000000000000,1,0,1000000\n" +
		"1,soon,comm:soon,0,2,0,3000000000000\n"
	load(t, o, table(t, rows))
	var late, soon []*exec.Cmd
	for range runtime.NumCPU() {
		late = append(late, startAnywhere(t, body(t, "late", "spin")))
		soon = append(soon, startAnywhere(t, body(t, "soon", "spin")))
	}
	sum := func(cmds []*exec.Cmd) (sum time.Duration) {
		for _, cmd := range cmds {
			sum += cpuTime(t, cmd)
		}
		return sum
	}
	const look = time.Second
	eventually(t, "both have half of the time", func() bool {
		ofLate, ofSoon := sum(late), sum(soon)
		time.Sleep(look)
		ofLate, ofSoon = sum(late)-ofLate, sum(soon)-ofSoon
		t.Logf("late ones have used %v, others %v", ofLate, ofSoon)
		return ofSoon > look/8 && 4*ofLate < 5*ofSoon && 4*ofSoon < 5*ofLate
	})
	// Without others they have all of it.
	for _, cmd := range soon {
		kill(cmd)
	}
	before := sum(late)
	eventually(t, "late ones go on without others", func() bool { return sum(late) > before+look })
}

// By the paper's rules the better rank goes first, but takes the CPU from nobody.
func TestPaper(t *testing.T) {
	o := guest(t)
	a := start(t, "", body(t, "a", "spin"))
	b := start(t, "", body(t, "b", "spin"))
	o.Paper = true
	load(t, o, ranks(t, 1, "comm:a", "comm:b"))
	isFirst(t, a, b)
	load(t, o, ranks(t, 2, "comm:b", "comm:a"))
	isFirst(t, b, a)
	// Of one rank, both get much the same.
	load(t, o, table(t, "3,a,comm:a,0,1,0,0\n3,b,comm:b,0,1,0,0\n"))
	eventually(t, "both get much the same", func() bool {
		const look = 500 * time.Millisecond
		ofA, ofB := cpuTime(t, a), cpuTime(t, b)
		time.Sleep(look)
		ofA, ofB = cpuTime(t, a)-ofA, cpuTime(t, b)-ofB
		return ofB > look/8 && 3*ofA < 5*ofB && 3*ofB < 5*ofA
	})
	kill(a)

	// A turn of a hog is a second; a better rank that sleeps for 1 ms at a time
	// has one turn in between, and not hundreds.
	blinker := start(t, "", body(t, "blink", "blink"))
	const rows = "4,blink,comm:blink,0,1,0,0\n4,hog,comm:b,0,2,1000000000,0\n"
	turns := func() int {
		before := turnsOf(t, blinker)
		time.Sleep(3 * time.Second)
		return turnsOf(t, blinker) - before
	}
	load(t, o, table(t, rows))
	time.Sleep(time.Second)
	byPaper := turns()
	o.Paper = false
	load(t, o, table(t, rows))
	time.Sleep(time.Second)
	if ours := turns(); byPaper*4 > ours {
		t.Errorf("%d turns in 3 s by the paper's rules, %d by this scheduler's", byPaper, ours)
	}
}

// A function that a real-time task pushes off its CPU goes on where there is
// another one.
func TestRealTimePushesAside(t *testing.T) {
	o := guest(t)
	if runtime.NumCPU() < 2 {
		t.Skip("needs two CPUs")
	}
	load(t, o, table(t, "1,hog,comm:hog,0,1,1000000000,0\n"))
	hog := startAnywhere(t, body(t, "hog", "spin"))
	turnsBegin(t, hog)
	for range 3 {
		out, err := body(t, "grab", "grab", fmt.Sprint(hog.Process.Pid), "2s").Output()
		if err != nil {
			t.Fatal(err)
		}
		part, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
		if err != nil {
			t.Fatal(err)
		}
		if part < 0.3 { // on a busy host QEMU may leave a CPU out for long
			t.Errorf("it ran for %.0f%% of the time for which the real-time task had its CPU", 100*part)
		}
	}
}

// turnsBegin: a process has begun to run.
func turnsBegin(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	eventually(t, cmd.Path+" runs", func() bool { return cpuTime(t, cmd) > 100*time.Millisecond })
}

// TestLongestWait: with strict ranks, of 15 functions that never sleep one would
// run for ever. None waits longer than the bound and the slice that runs then. In
// virtual time, on one CPU: there, nothing but the scheduler makes one wait.
func TestLongestWait(t *testing.T) {
	if os.Getenv("ALPS_VIRTUAL_TIME") == "" {
		t.Skip("needs virtual time: ALPS_VIRTUAL_TIME=1 go test -exec 'alps-vm test --icount 1 --cpus 1 --'")
	}
	const functions, bound, slice, margin = 15, time.Second, 20 * time.Millisecond, 10 * time.Millisecond
	o := guest(t)
	o.MaxWait = bound
	var policy strings.Builder
	for i := range functions {
		fmt.Fprintf(&policy, "1,f%d,comm:f%d,0,%d,%d,0\n", i, i, i+1, slice.Nanoseconds())
	}
	load(t, o, table(t, policy.String()))
	begin := make([]io.Closer, functions)
	outs := make([]strings.Builder, functions)
	cmds := make([]*exec.Cmd, functions)
	for i := range cmds {
		cmd := body(t, fmt.Sprint("f", i), "gap", "3s")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = &outs[i]
		cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
		cmds[i], begin[i] = startAnywhere(t, cmd), stdin
	}
	time.Sleep(time.Second) // all have started, and wait
	for _, stdin := range begin {
		stdin.Close()
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		ns, err := strconv.ParseInt(strings.TrimSpace(outs[i].String()), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		longest := time.Duration(ns)
		t.Logf("rank %d waited for %v at the most", i+1, longest)
		if longest > bound+slice+margin {
			t.Errorf("rank %d waited for %v, want at most %v and a slice of %v", i+1, longest, bound, slice)
		}
	}
	if counter(t, o, "promotions") < functions {
		t.Error("the starvation bound was not needed")
	}
}

// Once it has used as much as the step says, the first has the worse rank.
func TestStepTakesEffect(t *testing.T) {
	const step, more = 400 * time.Millisecond, 300 * time.Millisecond
	o := guest(t)
	load(t, o, table(t, fmt.Sprintf("1,a,comm:a,0,1,0,0\n1,a,comm:a,%d,3,0,0\n1,b,comm:b,0,2,0,0\n", step.Nanoseconds())))
	b := start(t, "", body(t, "b", "spin"))
	a := start(t, "", body(t, "a", "spin"))
	eventually(t, "a is first below the step", func() bool { return cpuTime(t, a) > step/2 })
	atStart := cpuTime(t, b)
	eventually(t, "b gets the CPU", func() bool { return cpuTime(t, b) > atStart+more })
	if used := cpuTime(t, a); used < step {
		t.Errorf("a has used %v, and b gets the CPU before it has used %v", used, step)
	}
	isFirst(t, b, a)
}

func TestCgroups(t *testing.T) {
	o := guest(t)
	load(t, o, ranks(t, 1, "cgroup:/alps-test/fn/inner", "cgroup:/alps-test/fn", "comm:x"))
	cgroup(t, "/alps-test")

	t.Run("not listed", func(t *testing.T) {
		cgroup(t, "/alps-test/fnx")
		start(t, "/alps-test/fnx", body(t, "worker", "blink"))
		start(t, "/alps-test", body(t, "worker", "blink"))
		turnsStay(t, o)
	})
	t.Run("made after the load", func(t *testing.T) {
		cgroup(t, "/alps-test/fn")
		start(t, "/alps-test/fn", body(t, "worker", "blink"))
		turnsGrow(t, o)
	})
	t.Run("nested", func(t *testing.T) {
		cgroup(t, "/alps-test/fn/pod/container")
		start(t, "/alps-test/fn/pod/container", body(t, "worker", "blink"))
		turnsGrow(t, o)
	})
	t.Run("as deep as it goes", func(t *testing.T) {
		deep := "/alps-test/fn" + strings.Repeat("/d", MaxDepth+4)
		cgroup(t, deep)
		start(t, deep, body(t, "worker", "blink"))
		turnsGrow(t, o)
	})
	t.Run("long names", func(t *testing.T) {
		long := "/alps-test/" + strings.Repeat("n", maxCgroupName)
		cgroup(t, long)
		load(t, o, ranks(t, 2, "cgroup:"+long))
		start(t, long, body(t, "worker", "blink"))
		turnsGrow(t, o)
	})
	t.Run("destroyed and made anew", func(t *testing.T) {
		cgroup(t, "/alps-test/fn")
		load(t, o, ranks(t, 2, "cgroup:/alps-test/fn/container"))
		container := "/alps-test/fn/container"
		const dying = "nr_dying_descendants"
		before := fieldOf(t, "/sys/fs/cgroup/cgroup.stat", dying)
		for range 3 {
			if err := os.Mkdir("/sys/fs/cgroup"+container, 0o755); err != nil {
				t.Fatal(err)
			}
			worker := start(t, container, body(t, "worker", "blink"))
			turnsGrow(t, o)
			kill(worker)
			eventually(t, "it can be removed", func() bool { return os.Remove("/sys/fs/cgroup"+container) == nil })
		}
		eventually(t, "nothing of them is left", func() bool {
			return fieldOf(t, "/sys/fs/cgroup/cgroup.stat", dying) <= before
		})
	})
	t.Run("the deepest listed counts", func(t *testing.T) {
		cgroup(t, "/alps-test/fn/inner/x")
		cgroup(t, "/alps-test/fn/outer")
		inner := start(t, "/alps-test/fn/inner/x", body(t, "inner", "spin"))
		outer := start(t, "/alps-test/fn/outer", body(t, "outer", "spin"))
		load(t, o, ranks(t, 3, "cgroup:/alps-test/fn/inner", "cgroup:/alps-test/fn"))
		isFirst(t, inner, outer)
		load(t, o, ranks(t, 4, "cgroup:/alps-test/fn", "cgroup:/alps-test/fn/inner"))
		isFirst(t, outer, inner)
	})
	t.Run("moved", func(t *testing.T) {
		cgroup(t, "/alps-test/before")
		cgroup(t, "/alps-test/after")
		load(t, o, ranks(t, 5, "cgroup:/alps-test/before", "comm:hog", "cgroup:/alps-test/after"))
		hog := start(t, "", body(t, "hog", "spin"))
		moved := start(t, "/alps-test/before", body(t, "moved", "spin"))
		isFirst(t, moved, hog)
		if err := os.WriteFile("/sys/fs/cgroup/alps-test/after/cgroup.procs", []byte(fmt.Sprint(moved.Process.Pid)), 0); err != nil {
			t.Fatal(err)
		}
		isFirst(t, hog, moved)
	})
}

// A thread is of the class that its name gives it as soon as it has it.
func TestRename(t *testing.T) {
	o := guest(t)
	load(t, o, ranks(t, 1, "comm:hog", "comm:fn-late"))
	hog := start(t, "", body(t, "hog", "spin"))
	renamed := body(t, "unnamed", "rename", "fn-late")
	stdin, err := renamed.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	start(t, "", renamed)
	isFirst(t, renamed, hog)
	stdin.Close()
	isFirst(t, hog, renamed)
}

// System tasks are fair among themselves by nice value and by the weight of their
// cgroups, however many tasks are in one.
func TestSystemTasksByWeight(t *testing.T) {
	o := guest(t)
	if err := os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+cpu"), 0); err != nil {
		t.Skip("no cpu controller: ", err)
	}
	cgroup(t, "/alps-test")
	for _, group := range []string{"/alps-test/light", "/alps-test/heavy", "/alps-test/heavy/below"} {
		cgroup(t, group)
	}
	for _, group := range []string{"/alps-test", "/alps-test/heavy"} {
		if err := os.WriteFile("/sys/fs/cgroup"+group+"/cgroup.subtree_control", []byte("+cpu"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("/sys/fs/cgroup/alps-test/heavy/cpu.weight", []byte("300"), 0); err != nil {
		t.Fatal(err)
	}
	load(t, o, ranks(t, 1, "comm:nobody"))
	light := []*exec.Cmd{start(t, "/alps-test/light", body(t, "light", "spin")), start(t, "/alps-test/light", body(t, "light", "spin"))}
	heavy := start(t, "/alps-test/heavy/below", body(t, "heavy", "spin"))
	// The light ones have a quarter, in two parts by nice 0 and nice 5 (1024 and 335).
	if err := unix.Setpriority(unix.PRIO_PROCESS, light[1].Process.Pid, 5); err != nil {
		t.Fatal(err)
	}
	all := []*exec.Cmd{light[0], light[1], heavy}
	for _, cmd := range all {
		turnsBegin(t, cmd)
	}
	const look = 6 * time.Second // many times as long as an emulator stands still
	var used [3]time.Duration
	for i, cmd := range all {
		used[i] = -cpuTime(t, cmd)
	}
	time.Sleep(look)
	var sum time.Duration
	for i, cmd := range all {
		used[i] += cpuTime(t, cmd)
		sum += used[i]
	}
	share := func(i int) float64 { return float64(used[i]) / float64(sum) }
	t.Logf("shares %.2f, %.2f and %.2f", share(0), share(1), share(2))
	if share(2) < 0.68 || share(2) > 0.82 || used[0] < 2*used[1] || used[0] > 5*used[1] {
		t.Error("want 0.19, 0.06 and 0.75")
	}
}

// turnsOf is how many turns on a CPU the first thread of a process has had.
func turnsOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.Fields(string(text))[2])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
