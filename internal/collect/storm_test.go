package collect

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// stormChild is what one process of a storm does: burns, and naps in between.
type stormChild struct {
	burnNs, napNs int64
	naps          int
}

// stormPlan is what process number i of a storm does. Most are short, some long; a
// third of them sleep.
func stormPlan(i int) stormChild {
	var c stormChild
	switch {
	case i%50 == 0:
		c.burnNs = 60e6
	case i%10 == 1:
		c.burnNs = 12e6
	default:
		c.burnNs = int64(i*i%37) * 100_000 // up to 3.6 ms
	}
	if i%3 == 0 {
		c.naps, c.napNs = 1+i%4, int64(1+i%7)*1e6
	}
	return c
}

// stormBatch is how many processes of a storm live at once.
const stormBatch = 8

// storm starts count processes under a name, a batch at a time, and says of each what
// the kernel tells its parent: pid, CPU time by wait4, CPU time and wait by schedstat
// before that, and the time that it meant to sleep. It and they keep to one CPU: so
// what it reads of a process that has ended is whole.
func storm(count int, name string) {
	comm, _ := syscall.BytePtrFromString(name)
	for from := 0; from < count; from += stormBatch {
		var pids [stormBatch]int
		n := min(stormBatch, count-from)
		for i := range n {
			plan := stormPlan(from + i)
			pids[i] = plan.fork(comm)
		}
		for i := range n {
			var info [128]byte
			call(unix.SYS_WAITID, unix.P_PID, uintptr(pids[i]), uintptr(unsafe.Pointer(&info)), unix.WEXITED|unix.WNOWAIT, 0, 0)
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pids[i]))
			if err != nil {
				panic(err)
			}
			var cpu, wait int64
			fmt.Sscan(string(stat), &cpu, &wait)
			var usage unix.Rusage
			if _, err := unix.Wait4(pids[i], nil, 0, &usage); err != nil {
				panic(err)
			}
			plan := stormPlan(from + i)
			fmt.Println(pids[i], usage.Utime.Nano()+usage.Stime.Nano(), cpu, wait, int64(plan.naps)*plan.napNs)
		}
	}
}

// fork starts the process and returns its pid; see [child.fork] for what it may do.
//
//go:nosplit
func (c *stormChild) fork(comm *byte) int {
	pid, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if pid != 0 {
		return int(pid)
	}
	syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(comm)), 0)
	for i := range c.naps + 1 {
		for cpuTime(unix.CLOCK_THREAD_CPUTIME_ID) < c.burnNs*int64(i+1)/int64(c.naps+1) {
		}
		if i < c.naps {
			nap := unix.Timespec{Nsec: c.napNs}
			syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&nap)), 0, 0)
		}
	}
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	return 0
}

// forkStorm starts processes that end at once, so many a second, and says how many it
// has started.
func forkStorm(rate int, length time.Duration, name string) {
	comm, _ := syscall.BytePtrFromString(name)
	started := 0
	begin := time.Now()
	for elapsed := time.Duration(0); elapsed < length; elapsed = time.Since(begin) {
		// Where the machine is too slow, there are always some due.
		if due := int(elapsed.Seconds() * float64(rate)); started < due {
			started++
			pid := (&stormChild{}).fork(comm)
			call(unix.SYS_WAIT4, uintptr(pid), 0, 0, 0, 0, 0)
			continue
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Println(started, time.Since(begin).Nanoseconds())
}

func init() {
	bodies["storm"] = func(args []string) {
		count, _ := strconv.Atoi(args[0])
		storm(count, args[1])
	}
	bodies["forks"] = func(args []string) {
		rate, _ := strconv.Atoi(args[0])
		forkStorm(rate, duration(args[1]), args[2])
	}
}
