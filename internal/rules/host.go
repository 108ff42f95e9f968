package rules

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Host is where processes and containers are looked up. It is not safe for
// concurrent use.
type Host struct {
	// root is the folder that holds proc, run, sys and var.
	root string
	// states are the containers that runc keeps under another name than their
	// cgroup's; by their state file.
	states map[string]runcState
	// denied is what could not be read in the search for a container.
	denied error
}

// NewHost returns the host whose root is at a folder, which is / except in
// tests.
func NewHost(root string) *Host {
	return &Host{root: root, states: map[string]runcState{}}
}

// maxText bounds what is read of a file in /proc.
const maxText = 1 << 20

// Text reads what a kind of rule looks at, of a process that lives. It is not
// for [Container].
func (h *Host) Text(pid int, kind Kind) (string, error) {
	if kind == Exe {
		path, err := os.Readlink(h.proc(pid, "exe"))
		return clean(strings.TrimSuffix(path, " (deleted)")), reason(err)
	}
	file := map[Kind]string{Env: "environ", Mount: "mountinfo", Comm: "comm", Cmdline: "cmdline", UID: "status", Cgroup: "cgroup"}[kind]
	text, err := readSome(h.proc(pid, file))
	if err != nil {
		return "", reason(err)
	}
	switch kind {
	case Env:
		return envText(text), nil
	case Cmdline:
		return cmdlineText(text), nil
	case Cgroup:
		return cgroupText(text)
	case UID:
		return uidText(text)
	}
	return clean(strings.TrimSuffix(string(text), "\n")), nil
}

func (h *Host) proc(pid int, name string) string {
	return filepath.Join(h.root, "proc", strconv.Itoa(pid), name)
}

// readSome reads a file, of which it takes at most maxText bytes.
func readSome(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxText))
}

// reason makes an error one of those that a rule's answer has.
func reason(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		return fmt.Errorf("%w (%w)", ErrGone, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%w)", ErrDenied, err)
	}
	return err
}

// clean makes text of bytes: one that a stream carries.
func clean(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\r", " "), "\uFFFD")
}

// envText has the variables in order, a line each. A line break in a variable
// is a space, so that none can look like another.
func envText(environ []byte) string { return sortedLines(bytes.Split(environ, []byte{0})) }

func sortedLines(parts [][]byte) string {
	var lines []string
	for _, part := range parts {
		if len(part) > 0 {
			lines = append(lines, strings.ReplaceAll(clean(string(part)), "\n", " "))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func cmdlineText(cmdline []byte) string {
	return clean(string(bytes.ReplaceAll(bytes.TrimRight(cmdline, "\x00"), []byte{0}, []byte{' '})))
}

// cgroupText finds the path in the v2 hierarchy.
func cgroupText(file []byte) (string, error) {
	for line := range strings.Lines(string(file)) {
		if path, ok := strings.CutPrefix(line, "0::"); ok {
			path = strings.TrimSuffix(path, "\n")
			return clean(strings.TrimSuffix(path, " (deleted)")), nil
		}
	}
	return "", errors.New("it is in no cgroup of the v2 hierarchy, which this kernel does not have mounted")
}

func uidText(status []byte) (string, error) {
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			if fields := strings.Fields(ids); len(fields) > 0 {
				return fields[0], nil
			}
		}
	}
	return "", fmt.Errorf("%w (no user id)", ErrGone)
}

// Stat is what /proc/PID/stat says of a process.
type Stat struct {
	// Ended: it is a zombie, of which nothing else can be read.
	Ended bool
	// Kernel: it is a thread of the kernel.
	Kernel bool
	// StartTicks is when it started, by the clock that goes on in suspend, in
	// units of [TickNs].
	StartTicks int64
}

// TickNs is the unit of times in /proc, USER_HZ of 100 on every architecture
// that Go and eBPF share.
const TickNs = 10_000_000

// kernelThread is PF_KTHREAD.
const kernelThread = 0x00200000

// Stat reads what /proc says of a process.
func (h *Host) Stat(pid int) (Stat, error) {
	text, err := readSome(h.proc(pid, "stat"))
	if err != nil {
		return Stat{}, reason(err)
	}
	// The name, in brackets, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 20 {
		return Stat{}, fmt.Errorf("%s has %d fields after the name: want 20 or more", h.proc(pid, "stat"), len(fields))
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("%s: flags: %w", h.proc(pid, "stat"), err)
	}
	start, err := strconv.ParseInt(fields[19], 10, 64)
	if err != nil {
		return Stat{}, fmt.Errorf("%s: start: %w", h.proc(pid, "stat"), err)
	}
	return Stat{
		Ended:      fields[0] == "Z" || fields[0] == "X",
		Kernel:     flags&kernelThread != 0,
		StartTicks: start,
	}, nil
}

// cgroupMounts are where the v2 hierarchy is mounted, alone or beside v1.
var cgroupMounts = []string{"sys/fs/cgroup/unified", "sys/fs/cgroup"}

// Inode returns the inode of a cgroup's folder, which no other cgroup gets for
// as long as the machine runs: its id. It is 0 where there is none, mounted
// where it can be told.
func (h *Host) Inode(cgroup string) (inode uint64, mounted bool) {
	for _, mount := range cgroupMounts {
		mount = filepath.Join(h.root, mount)
		if _, err := os.Stat(filepath.Join(mount, "cgroup.procs")); err != nil {
			continue
		}
		info, err := os.Stat(filepath.Join(mount, cgroup))
		if err != nil {
			return 0, true
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			return stat.Ino, true
		}
	}
	return 0, false
}

// members are processes of a cgroup, up to a number.
func (h *Host) members(cgroup string, atMost int) []int {
	for _, mount := range cgroupMounts {
		text, err := readSome(filepath.Join(h.root, mount, cgroup, "cgroup.procs"))
		if err != nil {
			continue
		}
		var pids []int
		for line := range strings.Lines(string(text)) {
			if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && len(pids) < atMost {
				pids = append(pids, pid)
			}
		}
		return pids
	}
	return nil
}
