package rules

import (
	"errors"
	"fmt"
)

// Living is a process that lives, each of whose properties is read when a rule
// asks for it and then kept.
type Living struct {
	host   *Host
	pid    int
	cgroup string
	comm   string
	texts  map[Kind]text
	found  *text // of the container
	above  string
}

type text struct {
	text string
	err  error
}

// NewLiving looks up a process. The error says that there is none, or that it is
// none of user space.
func NewLiving(h *Host, pid int) (*Living, error) {
	stat, err := h.Stat(pid)
	switch {
	case errors.Is(err, ErrGone):
		return nil, fmt.Errorf("process %d: there is none; it may have ended", pid)
	case err != nil:
		return nil, fmt.Errorf("process %d: %w", pid, err)
	case stat.Kernel:
		return nil, fmt.Errorf("process %d is a thread of the kernel", pid)
	case stat.Ended:
		return nil, fmt.Errorf("process %d has ended; only its parent has not looked yet", pid)
	}
	l := &Living{host: h, pid: pid, texts: map[Kind]text{}}
	if l.comm, err = h.Text(pid, Comm); err != nil {
		return nil, fmt.Errorf("process %d: name: %w", pid, err)
	}
	if l.cgroup, err = h.Text(pid, Cgroup); err != nil {
		return nil, fmt.Errorf("process %d: cgroup: %w", pid, err)
	}
	l.texts[Comm] = text{text: l.comm}
	l.texts[Cgroup] = text{text: l.cgroup}
	return l, nil
}

// Cgroup is its path in the v2 hierarchy.
func (l *Living) Cgroup() string { return l.cgroup }

// Comm is its name.
func (l *Living) Comm() string { return l.comm }

// Text is what the rules of a kind look at.
func (l *Living) Text(kind Kind) (string, error) {
	if kind == Container {
		if l.found == nil {
			info, err := l.host.Container(l.cgroup)
			l.found = &text{err: err}
			if info != nil {
				l.found.text, l.above = info.Text, info.Cgroup
			}
		}
		return l.found.text, l.found.err
	}
	known, again := l.texts[kind]
	if !again {
		known.text, known.err = l.host.Text(l.pid, kind)
		l.texts[kind] = known
	}
	return known.text, known.err
}

// Ask implements [Subject].
func (l *Living) Ask(r *Rule) (Answer, error) {
	text, err := l.Text(r.Kind)
	if err != nil {
		return Answer{}, err
	}
	answer := r.on(text)
	if r.Kind == Container {
		answer.Cgroup = l.above
	}
	return answer, nil
}
