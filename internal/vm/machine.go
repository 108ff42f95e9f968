package vm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// DefaultTimeout is the limit of a Machine that sets none.
const DefaultTimeout = 10 * time.Minute

// guestVariable is set to 1 in the machine. Tests that attach schedulers or
// otherwise need a kernel of their own look at it, and are skipped elsewhere.
const guestVariable = "ALPS_VM_GUEST"

// minMemoryMiB boots every kernel known and leaves some hundred MiB to the
// command.
const minMemoryMiB = 768

// Machine describes a virtual machine. The zero value is one with one CPU, the
// newest kernel that has sched_ext and an empty root file system; every field
// may be left out. A Machine may be run several times, also at once: each run
// boots anew, and nothing of it stays.
type Machine struct {
	Kernel    string        // a name or path as Kernel takes it; "" is "newest"
	CPUs      int           // virtual CPUs; 0 is 1
	Sockets   int           // sockets that the CPUs are spread over evenly; 0 is 1
	MemoryMiB int           // 0 is enough for the files and some hundred MiB more
	Append    string        // further kernel arguments, separated by spaces
	Timeout   time.Duration // on the host's clock, for boot, command and power-off; 0 is DefaultTimeout

	// VirtualTime makes the machine's clock count instructions: each takes
	// 2^Shift ns, and idle time is skipped. Figures then hardly depend on the
	// host.
	VirtualTime bool
	Shift       int // 0 to 10

	Files []File // put into the root file system, in this order
	// Programs are directories as [Program] returns them, put together in /.
	Programs []string

	Shell bool     // busybox in /bin under all its names, so that scripts run
	Env   []string // K=V, added to a small environment (PATH, HOME, TMPDIR) or replacing parts of it
	Dir   string   // the command's working directory, made if missing; "" is /

	// OutDir is the host directory that gets what the command leaves in the
	// machine's /out (directories and regular files), made if missing. ""
	// throws it away.
	OutDir string

	Stdout, Stderr io.Writer // what the command writes, as it comes; nil throws it away
	Console        io.Writer // what the kernel writes; nil keeps its end for Failure only

	emptyDirs []string // further directories in the machine
}

// File is a host file or directory and its absolute path in the machine.
// Directories are taken with all that is in them.
type File struct {
	Host  string
	Guest string // "" is / and the base name of Host
}

// Failure says that the machine ended without telling how its command went: a
// kernel panic, a time limit, an emulator that crashed.
type Failure struct {
	Reason  string
	Console string // the end of what the kernel wrote
}

func (f *Failure) Error() string {
	if f.Console == "" {
		return f.Reason
	}
	return f.Reason + "; its console:\n" + f.Console
}

// Run boots the machine, runs args in it, and returns the command's exit
// status, 128 and the signal's number if a signal ended it. args[0] is a path
// in the machine that Files puts there, or a host file, which is packed into
// /bin, or a name without slash that is looked up in the machine's PATH. The
// command's standard input is empty.
//
// An error means that there is no status: a *Failure if the machine had been
// started, ctx.Err() if ctx ended it.
func (m *Machine) Run(ctx context.Context, args ...string) (int, error) {
	if len(args) == 0 {
		return 0, errors.New("no command to run in the machine")
	}
	if err := m.check(); err != nil {
		return 0, err
	}
	kernel, err := Kernel(ctx, m.Kernel)
	if err != nil {
		return 0, err
	}
	qemu, err := qemuPath()
	if err != nil {
		return 0, err
	}
	initrd, size, err := m.pack(ctx, kernel, args)
	if err != nil {
		return 0, fmt.Errorf("packing the machine's files: %w", err)
	}
	defer initrd.Close()
	memory := m.MemoryMiB
	if memory == 0 {
		// The archive and the files unpacked from it are in memory together,
		// and the root file system takes at most half of it.
		memory = minMemoryMiB + 4*int(size>>20)
	}

	timeout := m.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	limited, cancel := context.WithTimeoutCause(ctx, timeout, errTimeLimit)
	defer cancel()
	e := emulation{
		qemu: qemu, kernel: kernel, initrd: initrd, memoryMiB: memory, machine: m,
		stdout: orDiscard(m.Stdout), stderr: orDiscard(m.Stderr),
	}
	status, err := e.run(limited)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	var failure *Failure
	if errors.As(err, &failure) && errors.Is(context.Cause(limited), errTimeLimit) {
		failure.Reason = fmt.Sprintf("the machine was still running at its time limit of %v", timeout)
	}
	return status, err
}

var errTimeLimit = errors.New("time limit")

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

func (m *Machine) check() error {
	switch {
	case m.CPUs < 0 || m.CPUs > 255:
		return fmt.Errorf("%d CPUs: a machine has 1 to 255", m.CPUs)
	case m.Sockets < 0 || m.Sockets > 1 && m.cpus()%m.Sockets != 0:
		return fmt.Errorf("%d CPUs cannot be spread evenly over %d sockets", m.cpus(), m.Sockets)
	case m.Shift < 0 || m.Shift > 10:
		return fmt.Errorf("virtual time of 2^%d ns an instruction: QEMU knows 0 to 10", m.Shift)
	}
	return nil
}

func (m *Machine) cpus() int    { return max(m.CPUs, 1) }
func (m *Machine) sockets() int { return max(m.Sockets, 1) }

// environment returns the command's environment: each of extra replaces an
// earlier variable of its name.
func environment(extra []string) []string {
	env := []string{
		"PATH=/bin:/sbin:/usr/bin:/usr/sbin",
		"HOME=/root",
		"TMPDIR=/tmp",
		"USER=root",
		"LANG=C.UTF-8",
		guestVariable + "=1",
	}
next:
	for _, kv := range extra {
		name, _, _ := strings.Cut(kv, "=")
		for i := range env {
			if strings.HasPrefix(env[i], name+"=") {
				env[i] = kv
				continue next
			}
		}
		env = append(env, kv)
	}
	return env
}

// tail keeps the end of what is written to it.
type tail struct {
	buf   []byte
	limit int
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.limit; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	return string(bytes.TrimSpace(bytes.ReplaceAll(t.buf, []byte("\r"), nil)))
}
