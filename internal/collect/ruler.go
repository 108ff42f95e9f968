package collect

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"alps/internal/rules"
	"alps/internal/stream"
)

// ruler finds classes by rules.
type ruler struct {
	// mu is held by whoever uses the following: the run, or the goroutine that
	// looks at new cgroups at once.
	mu      sync.Mutex
	matcher *rules.Matcher
	host    *rules.Host
	kind    stream.Kind
	execs   *execTracer // nil where the rules ask for nothing that it tells
	// unknown are the processes of the window whose class could not be told,
	// and why.
	unknown   map[processID]error
	execsLost uint64 // as counted last
	err       error  // of the goroutine

	stop    *os.File // closed to end the goroutine
	stopped sync.WaitGroup
}

// newRuler starts to learn what the rules ask of the processes.
func newRuler(set *rules.Set, kind stream.Kind) (_ *ruler, err error) {
	r := &ruler{host: rules.NewHost("/"), kind: kind, unknown: map[processID]error{}}
	if set.Asks(rules.Container, rules.Env, rules.Mount, rules.Exe, rules.Cmdline, rules.UID) {
		if r.execs, err = newExecTracer(set); err != nil {
			return nil, err
		}
	}
	r.matcher = rules.NewMatcher(set, r.host, r.learn)
	if r.execs == nil {
		return r, nil
	}
	wait, stop, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making a pipe: %w", err), r.execs.Close())
	}
	r.stop = stop
	r.stopped.Go(func() {
		defer wait.Close()
		r.follow(int(wait.Fd()))
	})
	return r, nil
}

// Close detaches everything.
func (r *ruler) Close() error {
	if r.execs == nil {
		return nil
	}
	r.stop.Close()
	r.stopped.Wait()
	return r.execs.Close()
}

// follow learns of execs whenever the kernel side says that there is something
// to be read in time, and from time to time, until the pipe is closed.
func (r *ruler) follow(pipe int) {
	ring := r.execs.objects.Execs.FD()
	for {
		// Data makes the wait end only where it is there before, or where the
		// kernel side asks for it.
		fds := []unix.PollFd{{Fd: int32(ring), Events: unix.POLLIN}, {Fd: int32(pipe), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, int(drainEvery.Milliseconds()))
		if fds[1].Revents != 0 {
			return
		}
		r.mu.Lock()
		if err == nil || errors.Is(err, unix.EINTR) {
			err = r.learn()
		}
		if err != nil {
			r.err = err
		}
		r.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// learn takes the execs that are in the ring buffer.
func (r *ruler) learn() error {
	if r.execs == nil {
		return nil
	}
	return r.execs.Drain(r.matcher.Learn)
}

// decide finds the class of an invocation and its key. Those that cannot be told are
// counted.
func (r *ruler) decide(p *process) (class, key string, v verdict) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id := r.subject(p)
	// The process of a request, or of a frozen cgroup, is still there.
	ended := p.EndNs != 0 && r.kind == stream.Process
	found := r.matcher.Decide(rules.Process{ID: id, Comm: p.Comm, Cgroup: p.Cgroup, Ended: ended})
	if ended {
		r.matcher.Forget(id)
	}
	if found.Err != nil {
		r.unknown[p.processID] = found.Err
		return "", "", leftOut
	}
	delete(r.unknown, p.processID)
	if found.Class == "" {
		return "", "", leftOut
	}
	return found.Class, found.Key, taken
}

// subject is the process that the rules look at.
func (r *ruler) subject(p *process) rules.ID {
	switch r.kind {
	case stream.Request:
		return p.Server
	case stream.Cgroup:
		return r.host.Identify(someProcess(p.Cgroup))
	}
	return rules.ID{PID: int(p.Number), StartNs: p.StartNs}
}

// someProcess is a process that is in a cgroup, 0 if none is.
func someProcess(cgroup string) int {
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		procs, err := os.ReadFile(mount + cgroup + "/cgroup.procs")
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(procs), "\n")
		if pid, err := strconv.Atoi(first); err == nil {
			return pid
		}
	}
	return 0
}

// endWindow returns what was lost in the window.
func (r *ruler) endWindow() (lost losses, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, why := range r.unknown {
		if errors.Is(why, rules.ErrDenied) {
			lost.ClassDenied++
		} else {
			lost.ClassGone++
		}
	}
	clear(r.unknown)
	r.matcher.EndWindow()
	if r.execs != nil && r.err == nil {
		var count uint64
		if count, r.err = r.execs.Lost(); r.err == nil {
			lost.ExecsLost, r.execsLost = count-r.execsLost, count
		}
	}
	return lost, r.err
}
