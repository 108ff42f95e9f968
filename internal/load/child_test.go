package load

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A child is what a fork of a body does, in this order; zero values are left
// out. Starting a program for each would keep a machine in emulation busy with
// little else.
type child struct {
	cgroup int  // directory in which it begins its life, by its descriptor
	gate   gate // it waits until that is opened
	burnNs int64
	// Then, so many times: it writes a byte to each of writes, and reads as
	// many from each of reads.
	rounds        int
	reads, writes []int
	first         bool // it writes before it reads; else the other way round

	args   cloneArgs
	letter [1]byte
}

// cloneArgs is the kernel's struct clone_args.
type cloneArgs struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls, setTID, setTIDSize, cgroup uint64
}

// A gate lets all children that wait go on at once. It is a pipe to which
// nobody writes.
type gate struct{ wait, hold int }

func newGate() gate {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		fatal(err)
	}
	return gate{fds[0], fds[1]}
}

// open opens the gate, as soon as the last child has come to it.
func (g gate) open() { unix.Close(g.hold) }

// fork starts a child, which ends with status 0 if all went well.
func (c *child) fork() {
	c.args = cloneArgs{exitSignal: uint64(syscall.SIGCHLD)}
	if c.cgroup > 0 {
		c.args.flags, c.args.cgroup = unix.CLONE_INTO_CGROUP, uint64(c.cgroup)
	}
	if errno := c.clone(); errno != 0 {
		fatal(fmt.Errorf("forking: %w", errno))
	}
}

// clone returns in the parent only. In the child nothing is left of the Go
// runtime but this thread: it may only make raw system calls, and it must never
// look whether the runtime asks it to let others run, hence nosplit.
//
//go:nosplit
func (c *child) clone() syscall.Errno {
	pid, _, errno := syscall.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&c.args)), unsafe.Sizeof(c.args), 0)
	if pid != 0 || errno != 0 {
		return errno
	}
	status := uintptr(0)
	if c.gate.wait != 0 {
		syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(c.gate.hold), 0, 0)
		if n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.gate.wait), uintptr(unsafe.Pointer(&c.letter)), 1); n != 0 || errno != 0 {
			status = 3
		}
	}
	for c.burnNs > 0 && rawCPUTime() < c.burnNs {
	}
	for range c.rounds {
		if c.first && !c.each(syscall.SYS_WRITE, c.writes) || !c.each(syscall.SYS_READ, c.reads) ||
			!c.first && !c.each(syscall.SYS_WRITE, c.writes) {
			status = 4
			break
		}
	}
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, status, 0, 0)
	return 0
}

//go:nosplit
func (c *child) each(call uintptr, fds []int) bool {
	for _, fd := range fds {
		if n, _, _ := syscall.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&c.letter)), 1); n != 1 {
			return false
		}
	}
	return true
}

// rawCPUTime is what the thread has used, in ns.
//
//go:nosplit
func rawCPUTime() int64 {
	var used unix.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, unix.CLOCK_THREAD_CPUTIME_ID, uintptr(unsafe.Pointer(&used)), 0)
	return used.Sec*1e9 + used.Nsec
}

// reap waits for n children, all of which have to end with status 0.
func reap(n int) {
	for range n {
		if _, err := reapOne(0); err != nil {
			fatal(err)
		}
	}
}

// reapOne waits for a child, or with WNOHANG looks for one, and tells whether
// one has ended.
func reapOne(options int) (ended bool, err error) {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, options, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return false, fmt.Errorf("waiting for a child: %w", err)
		case pid == 0:
			return false, nil
		case !status.Exited() || status.ExitStatus() != 0:
			return true, fmt.Errorf("a child has ended with %#x", uint32(status))
		default:
			return true, nil
		}
	}
}

// openCgroup opens the directory of a cgroup, to fork into.
func openCgroup(path string) int {
	fd, err := unix.Open("/sys/fs/cgroup"+path, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		fatal(&os.PathError{Op: "open", Path: path, Err: err})
	}
	return fd
}
