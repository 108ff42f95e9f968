package rules

import (
	"errors"
	"maps"
	"strconv"
	"time"
)

// Matcher finds the classes of the processes that a collector sees, most of
// which have ended by then. What the rules may ask of one is learnt while it
// lives: from the kernel, when it calls exec ([Matcher.Learn]), or from /proc.
// What is found is kept by cgroup, until the cgroup goes.
//
// It is not safe for concurrent use.
type Matcher struct {
	set  *Set
	host *Host
	// catchUp learns what the kernel has told by now.
	catchUp func() error
	now     func() time.Time

	groups    map[string]*group
	processes map[ID]*process
	swept     time.Time
	// byProcess are the rules of which the kernel tells the answer.
	byProcess []*Rule
}

// ID identifies a process.
type ID struct {
	PID     int
	StartNs int64 // CLOCK_MONOTONIC
}

// Process is a process as a collector sees it.
type Process struct {
	ID
	Comm, Cgroup string
	// Ended tells that /proc is not likely to have it any more.
	Ended bool
}

// Exec is what the kernel tells of a process when it calls exec or changes its
// name.
type Exec struct {
	ID
	UID uint32
	// New tells that its cgroup or its mounts have not been seen before, so that
	// they are better looked at now.
	New bool
	// MountID stands for what it sees mounted.
	MountID MountID
	// Exe is the path of the program; Cmdline and Environ are as in /proc. They
	// are there where a rule asks for them.
	Exe              string
	Cmdline, Environ []byte
	// Cut tells that one of them is longer than what is here.
	Cut bool
}

// MountID stands for what a process sees mounted: a mount namespace, the root
// folder in it, and the number of the last change.
type MountID struct {
	Namespace uint32
	Root      uint64
	Change    uint64
}

// Bounds of what is kept. Beyond, what was kept is dropped and found anew.
const (
	maxGroups    = 1 << 14
	maxProcesses = 1 << 17
	maxMounts    = 64 // of one cgroup
	// searchAgain is how long it holds at first that a cgroup is no
	// container's, as one is made some time before the runtime says so; each
	// time twice as long, up to searchAgainMost.
	searchAgain     = 50 * time.Millisecond
	searchAgainMost = 5 * time.Second
	// maxRelatives is how many processes of a cgroup are tried for one that
	// lives.
	maxRelatives = 16
	// A cgroup is taken for one without a container after so many looks, or
	// when it was looked at so long after the first. What is gone before has no
	// answer.
	maxLooks    = 16
	settleAfter = time.Second
	// sweepEvery is how often what has gone is looked for.
	sweepEvery = 5 * time.Second
)

// group is what is known of a cgroup.
type group struct {
	inode  uint64
	absent bool // it was not there when it was asked for last
	gone   bool // by the last sweep; the next one drops it
	info   *ContainerInfo
	err    error
	first  time.Time     // look for the container; zero: none yet
	last   time.Time     // the same
	wait   time.Duration // from the last to the next
	looks  int
	asked  map[*Rule]Answer
	mounts map[MountID]map[*Rule]Answer
}

// process is what was learnt of a process.
type process struct {
	answers map[*Rule]Answer // those that match; nil if the kernel told nothing
	cut     bool
	mountID MountID
	// proc is what was read in /proc, for this window.
	proc map[Kind]read
	gone bool
}

// read is what /proc said.
type read struct {
	answers map[*Rule]Answer
	err     error
}

// NewMatcher returns one that knows nothing yet. catchUp, which may be nil, is
// called where a process is not known, to learn of those of which the kernel has
// told meanwhile.
func NewMatcher(set *Set, host *Host, catchUp func() error) *Matcher {
	m := &Matcher{
		set: set, host: host, catchUp: catchUp, now: time.Now,
		groups: map[string]*group{}, processes: map[ID]*process{},
	}
	for _, r := range set.Rules {
		switch r.Kind {
		case Env, Exe, Cmdline, UID:
			m.byProcess = append(m.byProcess, r)
		}
	}
	return m
}

// Learn takes what the kernel tells of a process. Again tells that the next of
// its cgroup is to be taken for a new one too: it cannot be told yet what the
// cgroup is.
func (m *Matcher) Learn(e Exec) (again bool) {
	texts := map[Kind]string{
		UID: strconv.FormatUint(uint64(e.UID), 10), Exe: clean(e.Exe),
		Cmdline: cmdlineText(e.Cmdline), Env: envText(e.Environ),
	}
	p := &process{answers: map[*Rule]Answer{}, cut: e.Cut, mountID: e.MountID}
	for _, r := range m.byProcess {
		if answer := r.on(texts[r.Kind]); answer.Matched {
			answer.Text = "" // may be long
			p.answers[r] = answer
		}
	}
	m.put(e.ID, p)
	return e.New && m.lookAhead(e)
}

// lookAhead finds what is known of a cgroup and its mounts as long as a process
// in it lives.
func (m *Matcher) lookAhead(e Exec) (again bool) {
	cgroup, err := m.host.Text(e.PID, Cgroup)
	if err != nil {
		return errors.Is(err, ErrGone)
	}
	g := m.group(cgroup)
	if m.set.Asks(Mount) {
		found, _ := m.readMounts(g, e.PID, e.MountID)
		again = errors.Is(found.err, ErrGone)
	}
	if m.set.Asks(Container) && !Shared(cgroup) {
		m.seek(g, cgroup, m.now())
		again = again || !g.settled()
	}
	return again
}

func (m *Matcher) put(id ID, p *process) {
	if len(m.processes) >= maxProcesses {
		clear(m.processes)
	}
	m.processes[id] = p
}

// Decide finds the class of a process.
func (m *Matcher) Decide(p Process) Verdict {
	return m.set.Decide(&subject{m: m, p: p}, nil)
}

// Forget drops what is known of a process that has ended and been decided on.
func (m *Matcher) Forget(id ID) { delete(m.processes, id) }

// EndWindow drops what was read in /proc for the window, and now and then what
// has gone.
func (m *Matcher) EndWindow() {
	for id, p := range m.processes {
		if p.proc = nil; p.answers == nil {
			delete(m.processes, id)
		}
	}
	if now := m.now(); now.Sub(m.swept) >= sweepEvery {
		m.swept = now
		m.sweep()
	}
}

// sweep drops what had gone by the sweep before: the ends of its processes have
// been told since.
func (m *Matcher) sweep() {
	maps.DeleteFunc(m.groups, func(cgroup string, g *group) bool {
		was := g.gone
		inode, mounted := m.host.Inode(cgroup)
		g.gone = mounted && (inode == 0 || inode != g.inode)
		return was && g.gone || !mounted // what cannot be seen to go is found anew
	})
	maps.DeleteFunc(m.processes, func(id ID, p *process) bool {
		was := p.gone
		_, err := m.host.Stat(id.PID)
		p.gone = errors.Is(err, ErrGone)
		return was && p.gone
	})
}

// group is what is known of a cgroup, which is nothing if it is another one than
// before, of the same path.
func (m *Matcher) group(cgroup string) *group {
	g := m.groups[cgroup]
	inode, mounted := m.host.Inode(cgroup)
	if g == nil || inode != g.inode && inode != 0 {
		if len(m.groups) >= maxGroups {
			clear(m.groups)
		}
		g = &group{inode: inode, asked: map[*Rule]Answer{}, mounts: map[MountID]map[*Rule]Answer{}}
		m.groups[cgroup] = g
	}
	g.absent = mounted && inode == 0
	return g
}

// settled tells whether it has been found out if a cgroup is a container's.
func (g *group) settled() bool {
	return g.info != nil || g.looks >= maxLooks || g.last.Sub(g.first) >= settleAfter
}

// seek looks for the container of a cgroup, unless it is known.
func (m *Matcher) seek(g *group, cgroup string, now time.Time) {
	if g.info != nil {
		return
	}
	if g.first.IsZero() {
		g.first = now
	} else if g.absent && g.settled() {
		return
	}
	g.wait = min(max(2*g.wait, searchAgain), searchAgainMost)
	clear(g.asked)
	g.info, g.err = m.host.Container(cgroup)
	if g.info == nil && g.err == nil && g.absent && !g.settled() {
		// It may have been a container, of which the runtime knows nothing
		// any more.
		g.err = ErrGone
		return
	}
	g.last = now
	g.looks++
}

// due tells whether it is time to look for the container again.
func (g *group) due(now time.Time) bool {
	if g.absent && g.err == nil && !g.settled() {
		return true
	}
	return g.first.IsZero() || now.Sub(g.last) >= g.wait
}

// readMounts asks the rules by mount of what a process sees mounted now.
func (m *Matcher) readMounts(g *group, pid int, id MountID) (read, bool) {
	found := m.ask(pid, Mount)
	if found.err != nil {
		return found, false
	}
	if len(g.mounts) >= maxMounts {
		clear(g.mounts)
	}
	g.mounts[id] = found.answers
	return found, true
}

// ask reads one property of a living process and asks all rules that look at it.
func (m *Matcher) ask(pid int, kind Kind) read {
	text, err := m.host.Text(pid, kind)
	if err != nil {
		return read{err: err}
	}
	found := read{answers: map[*Rule]Answer{}}
	for _, r := range m.set.Rules {
		if r.Kind != kind {
			continue
		}
		if answer := r.on(text); answer.Matched {
			answer.Text = ""
			found.answers[r] = answer
		}
	}
	return found
}
