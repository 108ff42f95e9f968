package load

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// The tests named TestSoak… do to the scheduler what machines do to theirs,
// and then look whether anything is broken or left. Each has a short form,
// which make soak-short runs, and a long one for make soak.

var soaking = os.Getenv("ALPS_SOAK") == "1"

// size is how much of something a test does.
func size[T int | time.Duration](short, long T) T {
	if soaking {
		return long
	}
	return short
}

// Bounds of what may be left. Maps and programs are freed to the last byte. A
// slab cache keeps objects that are free in lists of each CPU, which count as
// in use, hence the slack; what a task leaves is far more in the long forms
// (20,000 records of a task are 5 MB).
const slackSlabBytes = 2 << 20

// machineState is what has to be the same after a test as before it.
type machineState struct {
	processes            int // without the kernel's threads
	cgroups              int
	removedCgroups       int // but still held by somebody
	bpfMaps, bpfPrograms int // whoever loaded them
	bpfBytes             uint64
	slabBytes            int
}

// survives loads a policy, does something with the scheduler in charge, and
// looks that it still is, that the policy is in force again, and that the
// machine is unharmed.
func survives(t *testing.T, o Options, policy *Table, do func()) {
	t.Helper()
	load(t, o, policy)
	unharmed(t, func() {
		t.Helper()
		do()
		inChargeStill(t, o)
		inForce(t, o, policy)
	})
}

// unharmed does something and looks that the kernel had nothing to complain of
// and that nothing is left.
func unharmed(t *testing.T, do func()) {
	t.Helper()
	log := kernelLog(t)
	defer log.Close()
	defer func() { // also if the test ends early
		for _, line := range complaints(t, log) {
			t.Errorf("the kernel complains: %s", line)
		}
	}()
	before := look(t)
	do()
	var after machineState
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if after = look(t); after.within(before) {
			break
		}
	}
	if !after.within(before) {
		t.Errorf("before there were %+v, and in the end %+v", before, after)
	}
	t.Logf("slabs grew by %d KiB", (after.slabBytes-before.slabBytes)>>10)
}

// within tells whether nothing has been left since before.
func (s machineState) within(before machineState) bool {
	return s.processes <= before.processes && s.cgroups <= before.cgroups && s.removedCgroups <= before.removedCgroups &&
		s.bpfMaps <= before.bpfMaps && s.bpfPrograms <= before.bpfPrograms && s.bpfBytes <= before.bpfBytes &&
		s.slabBytes <= before.slabBytes+slackSlabBytes
}

func look(t *testing.T) machineState {
	t.Helper()
	s := machineState{processes: processes(t), slabBytes: slabBytes(t)}
	s.cgroups = fieldOf(t, "/sys/fs/cgroup/cgroup.stat", "nr_descendants")
	s.removedCgroups = fieldOf(t, "/sys/fs/cgroup/cgroup.stat", "nr_dying_descendants")
	s.lookAtBPF(t)
	return s
}

// fieldOf reads a line "name value" of a file.
func fieldOf(t *testing.T, file, name string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s has no line %s", file, name)
	return 0
}

// processes counts them without the kernel's threads, which come and go.
func processes(t *testing.T) int {
	t.Helper()
	const flags, kernelThread = 6, 0x200000 // field after the name, PF_KTHREAD
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range stats {
		if set, err := statField(file, flags); err == nil && set&kernelThread == 0 {
			n++ // else it has ended
		}
	}
	return n
}

// statField is a field of /proc/PID/stat, counted from the one after the name.
func statField(file string, field int) (int, error) {
	stat, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))[field])
}

func (s *machineState) lookAtBPF(t *testing.T) {
	t.Helper()
	for id, err := ebpf.MapGetNextID(0); ; id, err = ebpf.MapGetNextID(id) {
		if errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		m, err := ebpf.NewMapFromID(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has gone meanwhile
		} else if err != nil {
			t.Fatal(err)
		}
		info, err := m.Info()
		m.Close()
		if err != nil {
			t.Fatal(err)
		}
		bytes, ok := info.Memlock()
		if !ok {
			t.Fatalf("the kernel does not tell the size of the map %s", info.Name)
		}
		s.bpfMaps, s.bpfBytes = s.bpfMaps+1, s.bpfBytes+bytes
	}
	for id, err := ebpf.ProgramGetNextID(0); ; id, err = ebpf.ProgramGetNextID(id) {
		if errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		s.bpfPrograms++
	}
}

// slabBytes is what the kernel's general caches hold. Records of tasks are in
// them; files and directories, which are kept for later use, are not.
func slabBytes(t *testing.T) int {
	t.Helper()
	info, err := os.ReadFile("/proc/slabinfo")
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if !strings.HasPrefix(line, "kmalloc-") || strings.HasPrefix(line, "kmalloc-rcl") || len(fields) < 4 {
			continue
		}
		active, err1 := strconv.Atoi(fields[1])
		each, err2 := strconv.Atoi(fields[3])
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		sum += active * each
	}
	if sum == 0 {
		t.Fatal("/proc/slabinfo has no kmalloc caches")
	}
	return sum
}

// kernelLog is the kernel's log, at what comes next.
func kernelLog(t *testing.T) *os.File {
	t.Helper()
	// Not by os.OpenFile, whose files wait for more.
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "/dev/kmsg")
}

// complaint matches what is about scheduling, of all that a kernel in a slow
// emulation may warn of.
var complaint = regexp.MustCompile(`(?i)sched_ext|\bscx|\bbpf|\brcu|stall|lockup|hung|blocked for more than|WARNING:|BUG:|scheduling while|oom|out of memory`)

// complaints are the lines of warnings and worse since log was opened.
func complaints(t *testing.T, log *os.File) (lines []string) {
	t.Helper()
	const warning = 4
	record := make([]byte, 8192)
	for {
		n, err := unix.Read(int(log.Fd()), record)
		if errors.Is(err, unix.EAGAIN) {
			return lines
		} else if err != nil {
			t.Errorf("reading the kernel's log: %v", err) // EPIPE: lines were lost
			return lines
		}
		// "6,1234,56789,-;text", and details in further lines
		head, text, ok := bytes.Cut(record[:n], []byte(";"))
		priority, _, _ := bytes.Cut(head, []byte(","))
		level, err := strconv.Atoi(string(priority))
		if !ok || err != nil {
			t.Fatalf("the kernel's log has %q", record[:n])
		}
		text, _, _ = bytes.Cut(text, []byte("\n"))
		if level&7 <= warning && complaint.Match(text) {
			lines = append(lines, fmt.Sprintf("<%d> %s", level&7, text))
		}
	}
}

// inChargeStill ends the test if the scheduler has left.
func inChargeStill(t *testing.T, o Options) {
	t.Helper()
	s, err := o.Status()
	if err != nil {
		t.Fatal(err)
	}
	if !s.InForce {
		t.Fatalf("the scheduler is not in charge; why it left: %+v", s.Left)
	}
}
