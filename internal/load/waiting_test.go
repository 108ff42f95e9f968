package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"alps/bpf"
)

// The scheduler looks into its queues only if something waits there, by its own count.
// It may never be too low, or somebody waits for ever; too high for good, it costs time.

// waiting is how many system tasks and functions wait, for all CPUs and for one alone.
func waiting(t *testing.T) (shared, own [2]uint32) {
	t.Helper()
	spec, err := bpf.LoadSched()
	if err != nil {
		t.Fatal(err)
	}
	bss := runningBSS(t)
	var cpu *btf.Struct
	if err := spec.Types.TypeByName("cpu", &cpu); err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(cpu.Members, func(m btf.Member) bool { return m.Name == "own" })
	ownAt := uint32(hogCPU())*cpu.Size + cpu.Members[at].Offset.Bytes()
	read := func(name string, at uint32) (two [2]uint32) {
		for i := range two {
			two[i] = binary.NativeEndian.Uint32(bss[spec.Variables[name].Offset+at+uint32(4*i):])
		}
		return two
	}
	return read("shared_waiting", 0), read("cpus", ownAt)
}

// runningBSS is the variables of the scheduler in charge.
func runningBSS(t *testing.T) (bss []byte) {
	t.Helper()
	for id := ebpf.ProgramID(0); bss == nil; {
		var err error
		if id, err = ebpf.ProgramGetNextID(id); err != nil {
			t.Fatalf("no scheduler is loaded: %v", err)
		}
		program, err := ebpf.NewProgramFromID(id)
		if errors.Is(err, unix.ENOENT) {
			continue // gone
		} else if err != nil {
			t.Fatal(err)
		}
		defer program.Close()
		info, err := program.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Name != "alps_running" {
			continue
		}
		maps, _ := info.MapIDs()
		for _, id := range maps {
			m, err := ebpf.NewMapFromID(id)
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if info, err := m.Info(); err != nil {
				t.Fatal(err)
			} else if !strings.HasSuffix(info.Name, ".bss") {
				continue
			}
			if err := m.Lookup(uint32(0), &bss); err != nil {
				t.Fatal(err)
			}
		}
	}
	return bss
}

func TestWaitersAreCounted(t *testing.T) {
	o := guest(t)
	load(t, o, table(t, "1,hog,comm:hog,0,1,5000000,0\n"))
	var all []*exec.Cmd
	for i := range 8 {
		cmd := startAnywhere(t, body(t, "hog", "spin"))
		if i%2 == 0 {
			keep(t, cmd.Process.Pid, hogCPU())
		}
		all = append(all, cmd)
	}
	eventually(t, "four functions share a CPU, and three others wait for any", func() bool {
		shared, own := waiting(t)
		return own[1] >= 3 && shared[1] >= 2
	})
	// Leave the queues in other ways than to run.
	for round := range 10 {
		for i, cmd := range all {
			pid := cmd.Process.Pid
			switch (i + round) % 4 {
			case 0:
				keep(t, pid, hogCPU())
				keep(t, pid, 0, hogCPU())
			case 1:
				syscall.Kill(pid, syscall.SIGSTOP)
				defer syscall.Kill(pid, syscall.SIGCONT)
			case 2:
				syscall.Kill(pid, syscall.SIGCONT)
			case 3:
				for _, policy := range []int{unix.SCHED_BATCH, unix.SCHED_RR, unix.SCHED_NORMAL} {
					attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: uint32(policy)}
					if policy == unix.SCHED_RR {
						attr.Priority = 1
					}
					if err := unix.SchedSetAttr(pid, &attr, 0); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	for _, cmd := range all {
		kill(cmd)
	}
	var last string
	defer func() { t.Log(last) }()
	eventually(t, "nobody waits", func() bool {
		shared, own := waiting(t)
		last = fmt.Sprintf("system tasks and functions that wait: %d, on one CPU %d", shared, own)
		return shared == [2]uint32{} && own == [2]uint32{}
	})
}
