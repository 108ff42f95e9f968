package load

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// CPUs that come and go, and CPUs that real-time tasks take away.

// switchCPU takes a CPU off or puts it on.
func switchCPU(t *testing.T, cpu int, on string) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/online", cpu), []byte(on), 0); err != nil {
		t.Fatal(err)
	}
}

// keep keeps a process on these CPUs.
func keep(t *testing.T, pid int, cpus ...int) {
	t.Helper()
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	if err := unix.SchedSetaffinity(pid, &set); err != nil {
		t.Fatal(err)
	}
}

func TestSoakHotplug(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	load(t, o, stressPolicy(t)) // before the workload slows it
	worker := worker(t)
	hog := launch(t, stressGroup, body(t, "hog", "spin"))
	system := launch(t, "", body(t, "system", "blink"))
	last := runtime.NumCPU() - 1
	survives(t, o, stressPolicy(t), func() {
		t.Cleanup(func() { switchCPU(t, last, "1") })
		for range size(2, 50) {
			// It is on its way out with a function on it that cannot but be moved.
			keep(t, hog.Process.Pid, last)
			goesOn(t, hog)
			switchCPU(t, last, "0")
			goesOn(t, worker)
			goesOn(t, system)
			keep(t, hog.Process.Pid, 0)
			goesOn(t, hog)
			switchCPU(t, last, "1")
			for _, cmd := range []*exec.Cmd{hog, worker, system} {
				keep(t, cmd.Process.Pid, last)
				goesOn(t, cmd)
				keep(t, cmd.Process.Pid, 0, last)
			}
			inChargeStill(t, o)
		}
	})
}

// Real-time hogs leave the CPUs to others for a fifth of the time. They pause for
// longer than QEMU runs one emulated CPU before the next, 100 ms: a shorter pause
// can go by while it runs another one, and nobody but the hog ever runs.
func TestSoakRealTime(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	load(t, o, stressPolicy(t))
	worker := worker(t)
	all := []*exec.Cmd{worker, launch(t, "", body(t, "system", "blink"))}
	for cpu := range runtime.NumCPU() {
		cmd := launch(t, stressGroup, body(t, fmt.Sprint("hog", cpu), "spin"))
		keep(t, cmd.Process.Pid, cpu)
		all = append(all, cmd)
	}
	all = append(all, launch(t, stressGroup, body(t, "anywhere", "spin")))
	for cpu := range runtime.NumCPU() {
		launch(t, "", body(t, fmt.Sprint("rt", cpu), "rt", fmt.Sprint(cpu), "600ms", "150ms"))
	}
	survives(t, o, stressPolicy(t), func() {
		for end := time.Now().Add(size(time.Second, 2*time.Minute)); ; {
			for _, cmd := range all {
				goesOn(t, cmd)
			}
			if time.Now().After(end) {
				break
			}
		}
	})
}

// A real-time task takes one CPU for longer than the kernel's watchdog of 30 s
// has patience. Who may use another CPU goes on there.
func TestSoakRealTimeForLong(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	load(t, o, stressPolicy(t))
	all := []*exec.Cmd{worker(t), launch(t, "", body(t, "system", "blink"))}
	for i := range 3 {
		all = append(all, launch(t, stressGroup, body(t, fmt.Sprint("fn", i), "blink")))
	}
	survives(t, o, stressPolicy(t), func() {
		taken := size(time.Second, 45*time.Second)
		rt := launch(t, "", body(t, "rt", "rt", fmt.Sprint(hogCPU()), "1h", "1s"))
		for end := time.Now().Add(taken); time.Now().Before(end); {
			for _, cmd := range all {
				goesOn(t, cmd)
			}
		}
		kill(rt)
	})
}

// A function that a real-time task pushes off its CPU goes on on another one
// that is idle. It does not wait there, with the rest of its slice, until the
// real-time task is done.
func TestSoakPushedAside(t *testing.T) {
	o := guest(t)
	load(t, o, table(t, "1,hog,comm:hog,0,1,1000000000,1000000000\n"))
	const looks = 200 // turns of this process, while another CPU is idle
	for tries, pushed := 0, 0; pushed < size(1, 10) && tries < size(5, 50); tries++ {
		hogs := []*exec.Cmd{launch(t, "", body(t, "hog", "spin")), launch(t, "", body(t, "hog", "spin"))}
		rt := launch(t, "", body(t, "rt", "rt", fmt.Sprint(hogCPU()), "1h", "500ms"))
		began := cpuTime(t, rt)
		time.Sleep(time.Second) // to look would itself push somebody aside
		eventually(t, "the real-time task has taken its CPU", func() bool { return cpuTime(t, rt) > began+100*time.Millisecond })
		aside, other := hogs[0], hogs[1]
		if lastCPU(t, aside.Process.Pid) != hogCPU() {
			aside, other = other, aside
		}
		kill(other)
		if lastCPU(t, aside.Process.Pid) == hogCPU() {
			pushed++
			for look := 0; lastCPU(t, aside.Process.Pid) == hogCPU(); look++ {
				if look == looks {
					t.Fatalf("pushed aside for the %dth time, it waits on its CPU while another is idle", pushed)
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		goesOn(t, aside)
		inChargeStill(t, o)
		kill(rt)
		kill(aside)
	}
}

// A CPU is not idle for want of looking: it finds the one task that may use it
// behind any number of those that may not.
func TestSoakPinned(t *testing.T) {
	o := guest(t)
	load(t, o, ranks(t, 1, "comm:elsewhere", "comm:here"))
	for range size(40, 400) {
		start(t, "", body(t, "elsewhere", "spin"))
	}
	here := launch(t, "", body(t, "here", "spin"))
	keep(t, here.Process.Pid, 0)
	eventually(t, "who is alone on a CPU has most of it", func() bool {
		const look = time.Second
		before := cpuTime(t, here)
		time.Sleep(look)
		return cpuTime(t, here)-before > look/4
	})
}

// lastCPU is where a process runs or ran last.
func lastCPU(t *testing.T, pid int) int {
	t.Helper()
	const processor = 36 // field after the name
	cpu, err := statField(fmt.Sprintf("/proc/%d/stat", pid), processor)
	if err != nil {
		t.Fatal(err)
	}
	return cpu
}
