package collect

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
	"unsafe"

	"alps/bpf"
	"alps/internal/rules"
)

// process is what the kernel side tells of one invocation. All times are in
// ns; StartNs and EndNs are on CLOCK_MONOTONIC.
type process struct {
	processID
	// Server is the process that serves a request, of which the invocation is
	// one of many.
	Server rules.ID
	EndNs  int64 // 0 while it lives
	// Sums over its threads, the ended ones included. LifeNs is from the
	// thread's start to its end, or to now. Sleeps are among the Switches.
	CPUNs, WaitNs, LifeNs int64
	Switches, Sleeps      int64
	// Comm is the name of the process: that of its leader.
	Comm string
	// Cgroup is its path in the v2 hierarchy; "/" is the root, and it is
	// empty where the path is longer than the kernel side can tell.
	Cgroup string
}

// processID identifies an invocation for as long as the machine runs.
type processID struct {
	Number  uint64 // of the process, the thread or the cgroup
	StartNs int64
}

func (id processID) String() string { return fmt.Sprintf("%d-%d", id.Number, id.StartNs) }

// blockNs is how long the threads of a process slept, in sum. The clocks of
// the three terms differ by the time that interrupts and other virtual
// machines took, which is no thread's.
func (p *process) blockNs() int64 { return max(p.LifeNs-p.CPUNs-p.WaitNs, 0) }

// headBytes is the size of a record's head, pathBytes the most that can follow.
const (
	headBytes = int(unsafe.Sizeof(bpf.CollectHead{}))
	pathBytes = 1024 + 256
)

// readRecord reads one record: a head and the names of a cgroup, which stay in
// buffer (of headBytes + pathBytes). io.EOF means that there is none.
func readRecord(in io.Reader, buffer []byte) (head bpf.CollectHead, names []byte, err error) {
	if _, err := io.ReadFull(in, buffer[:headBytes]); err != nil {
		return head, nil, err
	}
	if _, err := binary.Decode(buffer[:headBytes], binary.NativeEndian, &head); err != nil {
		return head, nil, err
	}
	n := max(int(head.PathBytes), 0)
	if n > pathBytes {
		return head, nil, fmt.Errorf("%d bytes of cgroup names in a record: want at most %d", n, pathBytes)
	}
	names = buffer[headBytes : headBytes+n]
	if _, err := io.ReadFull(in, names); err != nil {
		return head, nil, fmt.Errorf("%d bytes of cgroup names in a record: %w", n, io.ErrUnexpectedEOF)
	}
	return head, names, nil
}

// processOf is the process of a record without the use of a living thread.
func processOf(head *bpf.CollectHead, names []byte) process {
	return process{
		processID: processID{Number: head.Id, StartNs: int64(head.StartNs)},
		Server:    rules.ID{PID: int(head.Tgid), StartNs: int64(head.ProcessStartNs)},
		EndNs:     int64(head.EndNs),
		CPUNs:     int64(head.CpuNs),
		WaitNs:    int64(head.WaitNs),
		LifeNs:    int64(head.LifeNs),
		Switches:  int64(head.Switches),
		Sleeps:    int64(head.Sleeps),
		Comm:      commOf(&head.Comm),
		Cgroup:    cgroupOf(head.PathBytes, names),
	}
}

func commOf(comm *[16]int8) string {
	text := make([]byte, 0, len(comm))
	for _, c := range comm {
		if c == 0 {
			break
		}
		text = append(text, byte(c))
	}
	return strings.ToValidUTF8(string(text), "\uFFFD")
}

// cgroupOf makes a path of the names of a cgroup and the ones above it, each
// ended by a NUL.
func cgroupOf(pathBytes int32, names []byte) string {
	if pathBytes < 0 {
		return ""
	}
	parts := bytes.Split(bytes.TrimSuffix(names, []byte{0}), []byte{0})
	slices.Reverse(parts)
	return strings.ToValidUTF8("/"+string(bytes.Join(parts, []byte("/"))), "\uFFFD")
}
