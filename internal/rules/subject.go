package rules

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// subject is a process that the matcher decides on.
type subject struct {
	m     *Matcher
	p     Process
	g     *group // once asked for
	known *process
	tried bool // to find what is known
}

// Cgroup implements [Subject].
func (s *subject) Cgroup() string { return s.p.Cgroup }

// Comm implements [Subject].
func (s *subject) Comm() string { return s.p.Comm }

// Ask implements [Subject].
func (s *subject) Ask(r *Rule) (Answer, error) {
	switch r.Kind {
	case Comm:
		return r.on(s.p.Comm), nil
	case Cgroup:
		return s.inGroup(r, s.p.Cgroup), nil
	case Container:
		return s.container(r)
	case Mount:
		return s.mount(r)
	}
	return s.own(r)
}

func (s *subject) group() *group {
	if s.g == nil {
		s.g = s.m.group(s.p.Cgroup)
	}
	return s.g
}

// inGroup is an answer that is the same for all processes of a cgroup.
func (s *subject) inGroup(r *Rule, text string) Answer {
	g := s.group()
	answer, again := g.asked[r]
	if !again {
		answer = r.on(text)
		answer.Text = ""
		g.asked[r] = answer
	}
	return answer
}

func (s *subject) container(r *Rule) (Answer, error) {
	if Shared(s.p.Cgroup) {
		return Answer{}, nil
	}
	g := s.group()
	if now := s.m.now(); g.due(now) {
		s.m.seek(g, s.p.Cgroup, now)
	}
	if g.err != nil || g.info == nil {
		return Answer{}, g.err
	}
	answer := s.inGroup(r, g.info.Text)
	answer.Cgroup = g.info.Cgroup
	return answer, nil
}

// mount prefers what the process itself sees: a cgroup may be used again for
// another sandbox.
func (s *subject) mount(r *Rule) (Answer, error) {
	known := s.find()
	if s.p.Ended && known != nil {
		if answers, ok := s.group().mounts[known.mountID]; ok {
			return answers[r], nil
		}
	}
	found := s.fromProc(Mount)
	if errors.Is(found.err, ErrGone) && !Shared(s.p.Cgroup) {
		found = s.fromRelative()
	}
	return found.answers[r], found.err
}

// fromRelative is what another process of the cgroup sees mounted.
func (s *subject) fromRelative() read {
	for _, pid := range s.m.host.members(s.p.Cgroup, maxRelatives) {
		if stat, err := s.m.host.Stat(pid); err != nil || stat.Ended {
			continue
		}
		var id MountID
		if known := s.find(); known != nil {
			id = known.mountID
		}
		if found, ok := s.m.readMounts(s.group(), pid, id); ok {
			return found
		}
	}
	return read{err: ErrGone}
}

// own is an answer about the process alone. What the kernel told at its exec
// goes before what /proc says, so that its rows have one class, the last one
// included.
func (s *subject) own(r *Rule) (Answer, error) {
	known := s.find()
	if known != nil && known.answers != nil {
		answer, matched := known.answers[r]
		if matched || !known.cut || r.Kind == UID {
			return answer, nil
		}
	}
	found := s.fromProc(r.Kind)
	return found.answers[r], found.err
}

// find is what is known of the process, or nil.
func (s *subject) find() *process {
	if s.tried {
		return s.known
	}
	s.tried = true
	if s.known = s.m.processes[s.p.ID]; s.known == nil && s.m.catchUp != nil {
		if s.m.catchUp() == nil {
			s.known = s.m.processes[s.p.ID]
		}
	}
	return s.known
}

// fromProc reads a property of a living process, once a window.
func (s *subject) fromProc(kind Kind) read {
	known := s.find()
	if known == nil {
		known = &process{}
		s.m.put(s.p.ID, known)
		s.known = known
	}
	if known.proc == nil {
		known.proc = map[Kind]read{}
	}
	found, again := known.proc[kind]
	if again {
		return found
	}
	found = s.m.ask(s.p.PID, kind)
	// Only after the reading is it known that it was still the same process.
	if found.err == nil && !s.m.host.isStill(s.p.ID) {
		found = read{err: ErrGone}
	}
	known.proc[kind] = found
	return found
}

// isStill tells whether a process lives.
func (h *Host) isStill(id ID) bool {
	stat, err := h.Stat(id.PID)
	if err != nil || stat.Ended {
		return false
	}
	// /proc tells the start by CLOCK_BOOTTIME, which is ahead of
	// CLOCK_MONOTONIC by the time spent in suspend: then by at least none and
	// at most what it is now. One that has the pid after it starts later.
	start := time.Duration(stat.StartTicks) * TickNs
	since := start - time.Duration(id.StartNs)
	return since > -2*TickNs && since < inSuspend()+2*TickNs
}

// Identify returns the identity of a process that lives, its start to the
// precision of /proc; without a start if there is no such process.
func (h *Host) Identify(pid int) ID {
	stat, err := h.Stat(pid)
	if err != nil {
		return ID{PID: pid}
	}
	return ID{PID: pid, StartNs: int64(time.Duration(stat.StartTicks)*TickNs - inSuspend())}
}

// inSuspend is how long the machine has been in suspend.
func inSuspend() time.Duration {
	var boot, monotonic unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - monotonic.Nano())
}
