package load

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	for name, do := range stressors {
		bodies[name] = do
	}
}

// stressors are bodies that do one thing over and over, most of them for a
// duration. They end with status 0 if all that they did went well.
var stressors = map[string]func(args []string){
	// herd N DURATION [CGROUP]: forks N processes, and then lets all of them use
	// so much CPU time at once.
	"herd": func(args []string) {
		n, gate := number(args[0]), newGate()
		c := child{gate: gate, burnNs: int64(span(args[1]))}
		if len(args) > 2 {
			c.cgroup = openCgroup(args[2])
		}
		for range n {
			c.fork()
		}
		gate.open()
		reap(n)
	},
	// messages GROUPS PAIRS ROUNDS: hackbench's pattern. In each group each of
	// PAIRS senders sends ROUNDS messages to each of PAIRS receivers.
	"messages": func(args []string) {
		groups, pairs, rounds := number(args[0]), number(args[1]), number(args[2])
		for range groups {
			var to []int
			for range pairs {
				pipe := newPipe()
				to = append(to, pipe[1])
				receiver := child{reads: pipe[:1], rounds: rounds * pairs}
				receiver.fork()
			}
			for range pairs {
				sender := child{writes: to, rounds: rounds}
				sender.fork()
			}
		}
		reap(2 * groups * pairs)
	},
	// switch ROUNDS: two processes wake each other in turn.
	"switch": func(args []string) {
		a, b := newPipe(), newPipe()
		ping := child{writes: a[1:], reads: b[:1], first: true, rounds: number(args[0])}
		pong := child{writes: b[1:], reads: a[:1], rounds: number(args[0])}
		ping.fork()
		pong.fork()
		reap(2)
	},
	// fork N: one process after the other.
	"fork": func(args []string) {
		for range number(args[0]) {
			c := child{}
			c.fork()
			reap(1)
		}
	},
	// thread N: threads that begin, run on another CPU for a moment, and end.
	"thread": func(args []string) {
		done := make(chan bool)
		for range number(args[0]) {
			go func() {
				runtime.LockOSThread() // so that the thread ends with it
				spinFor(time.Millisecond)
				done <- true
			}()
			<-done
		}
	},
	// affinity N: two threads change the CPUs that both may use, while both run.
	"affinity": func(args []string) {
		first := unix.Gettid()
		end := make(chan bool)
		second := make(chan int)
		go func() {
			runtime.LockOSThread()
			second <- unix.Gettid()
			spinWhile(func() bool {
				select {
				case <-end:
					return false
				default:
					return true
				}
			})
			end <- true
		}()
		tids := []int{first, <-second}
		for range number(args[0]) {
			var set unix.CPUSet
			for allowed := 1 + rand.IntN(1<<runtime.NumCPU()-1); allowed > 0; allowed &= allowed - 1 {
				set.Set(bits.TrailingZeros(uint(allowed)))
			}
			if err := unix.SchedSetaffinity(tids[rand.IntN(2)], &set); err != nil {
				fatal(err)
			}
			spinFor(100 * time.Microsecond)
		}
		end <- true
		<-end
	},
	// rt CPU SPIN PAUSE: a real-time process that keeps that CPU to itself, again
	// and again, for ever.
	"rt": func(args []string) {
		var one unix.CPUSet
		one.Set(number(args[0]))
		fifo := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 50}
		if err := errors.Join(unix.SchedSetaffinity(0, &one), unix.SchedSetAttr(0, &fifo, 0)); err != nil {
			fatal(err)
		}
		pause := unix.NsecToTimespec(int64(span(args[2])))
		for {
			unix.Nanosleep(&pause, nil)
			spinFor(span(args[1]))
		}
	},
	// cgroups N DIRECTORY: makes N cgroups there, named 0 and so on, has a
	// process run in each, all at once, and removes them.
	"cgroups": func(args []string) {
		n, gate := number(args[0]), newGate()
		for i := range n {
			path := fmt.Sprintf("%s/%d", args[1], i)
			if err := os.Mkdir("/sys/fs/cgroup"+path, 0o755); err != nil {
				fatal(err)
			}
			c := child{cgroup: openCgroup(path), gate: gate, burnNs: 50_000}
			c.fork()
			unix.Close(c.cgroup)
		}
		gate.open()
		reap(n)
		for i := range n {
			if err := os.Remove(fmt.Sprintf("/sys/fs/cgroup%s/%d", args[1], i)); err != nil {
				fatal(err)
			}
		}
	},
	// cpu DURATION: so much CPU time.
	"cpu": func(args []string) { spinFor(span(args[0])) },
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fatal(err)
	}
	return n
}

func span(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		fatal(err)
	}
	return d
}

// newPipe is a reading and a writing end.
func newPipe() []int {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		fatal(err)
	}
	return fds[:]
}

// spinFor uses that much CPU time of the calling thread.
func spinFor(d time.Duration) {
	end := rawCPUTime() + int64(d)
	spinWhile(func() bool { return rawCPUTime() < end })
}

// stressGroup is the cgroup whose processes have a class in the tests below.
const stressGroup = "/alps-test/stress"

// stressPolicy ranks the worker of each test before what it is stressed with.
func stressPolicy(t *testing.T) *Table {
	t.Helper()
	return table(t, "1,worker,comm:worker,0,1,5000000,1000000\n1,stress,cgroup:"+stressGroup+",0,2,5000000,10000000\n")
}

// launch starts a process as start does, but on all CPUs.
func launch(t *testing.T, cgroup string, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if cgroup != "" {
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, openCgroup(cgroup)
		defer unix.Close(cmd.SysProcAttr.CgroupFD)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
	return cmd
}

// done waits for a process, which has to end with status 0.
func done(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v", filepath.Base(cmd.Path), err)
	}
}

// worker starts a function that sleeps and runs in turn; it gets turns as long
// as the scheduler serves anybody.
func worker(t *testing.T) *exec.Cmd { return launch(t, "", body(t, "worker", "blink")) }

// goesOn: a process gets CPU time.
func goesOn(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	const more = 2 * time.Millisecond
	before := cpuTime(t, cmd)
	eventually(t, filepath.Base(cmd.Path)+" gets CPU time", func() bool { return cpuTime(t, cmd) > before+more })
}

func TestSoakHerd(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	herd := size(200, 20_000)
	survives(t, o, stressPolicy(t), func() {
		began := time.Now()
		half := fmt.Sprintf("herd %d 50us", herd/2)
		functions, system := launch(t, stressGroup, body(t, "herd", half)), launch(t, "", body(t, "herd", half))
		done(t, functions)
		done(t, system)
		t.Logf("%d processes at once, half of them functions: %v", herd, time.Since(began).Round(time.Millisecond))
	})
}

func TestSoakStressors(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	survives(t, o, stressPolicy(t), func() {
		for _, words := range []string{
			fmt.Sprint("cpu ", size(50*time.Millisecond, 10*time.Second)),
			fmt.Sprint("fork ", size(10, 5000)),
			fmt.Sprint("switch ", size(200, 50_000)),
			fmt.Sprint("thread ", size(30, 5000)),
			fmt.Sprint("affinity ", size(200, 50_000)),
			fmt.Sprintf("messages %d 4 %d", size(1, 10), size(20, 500)),
		} {
			began := time.Now()
			// Functions and system tasks at once.
			name := strings.Fields(words)[0]
			system := launch(t, "", body(t, name, words))
			done(t, launch(t, stressGroup, body(t, name, words)))
			done(t, system)
			t.Logf("%s: %v", words, time.Since(began).Round(time.Millisecond))
		}
	})
}

// System tasks are served before functions, but functions that wait meanwhile
// are not kept from running for so long that the kernel's watchdog ends the
// scheduler, which has patience for 30 s.
func TestSoakSystemHogs(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	load(t, o, stressPolicy(t))
	function := launch(t, stressGroup, body(t, "function", "spin"))
	for i := range 2 * runtime.NumCPU() { // so that one waits at any time
		launch(t, "", body(t, fmt.Sprint("system", i), "spin"))
	}
	survives(t, o, stressPolicy(t), func() {
		for end := time.Now().Add(size(time.Second, 45*time.Second)); time.Now().Before(end); {
			goesOn(t, function)
			inChargeStill(t, o)
		}
	})
}

func TestSoakCgroups(t *testing.T) {
	o := guest(t)
	many := size(50, 2500)
	cgroup(t, stressGroup)
	var rows strings.Builder
	for i := range many {
		fmt.Fprintf(&rows, "1,f%d,cgroup:%s/%d,0,%d,5000000,1000000\n", i, stressGroup, i, i%100+1)
	}
	survives(t, o, table(t, rows.String()), func() {
		for range size(1, 4) {
			done(t, launch(t, "", body(t, "cgroups", "cgroups", fmt.Sprint(many), stressGroup)))
		}
	})
}
