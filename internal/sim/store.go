package sim

import (
	"math/bits"
	"sort"
	"strings"

	"alps/internal/ids"
	"alps/internal/stream"
)

// store holds the rows of a window in columns without pointers: a window may
// have millions of rows, and as structs they take several times as much.
type store struct {
	cpus   int // asked for; 0 for the column
	asSeen bool

	id       stream.Integer
	first    stream.Invocation // the first row
	firstAt  int               // its line
	jobs     []Job
	key      []int32
	lines    []uint32 // from the first on
	running  []bool
	utils    []stream.Percent // nil while all rows have that of the first
	kinds    []stream.Kind    // the same
	ids      *ids.Table       // of the invocations, by row
	hashes   []uint64         // of the ids of the rows that are being added
	classes  names
	keys     names
	windowed bool // rows of a window are in it
}

func newStore(cpus int, asSeen bool) *store {
	return &store{cpus: cpus, asSeen: asSeen, ids: ids.NewTable()}
}

// names are texts by number.
type names struct {
	texts  []string
	number map[string]int32
}

func (n *names) of(text string) int32 {
	if number, known := n.number[text]; known {
		return number
	}
	if n.number == nil {
		n.number = make(map[string]int32)
	}
	text = strings.Clone(text)
	number := int32(len(n.texts))
	n.texts = append(n.texts, text)
	n.number[text] = number
	return number
}

// reset empties the store for another window. What it has allocated for rows
// it keeps.
func (s *store) reset() {
	s.jobs, s.key, s.lines, s.running = s.jobs[:0], s.key[:0], s.lines[:0], s.running[:0]
	s.utils, s.kinds = nil, nil
	s.ids.Reset()
	// Names are those of one window: who streams for ever meets ever new ones.
	s.classes, s.keys = names{}, names{}
	s.windowed = false
}

// errorf is an error at a row.
type errorf func(i int, column, format string, args ...any) *stream.Error

// add takes rows of the window in. It refuses rows that contradict themselves
// or each other.
func (s *store) add(id stream.Integer, rows []stream.Invocation, lines []int, errorf errorf) error {
	if !s.windowed {
		s.windowed = true
		s.id, s.first, s.firstAt = id, rows[0], lines[0]
	}
	if len(s.jobs)+len(rows) > MaxJobs {
		return errorf(0, "", "a window of more than %d invocations is not simulated", MaxJobs)
	}
	s.reserve(len(rows), int(s.first.Rows))
	s.hashes = s.hashes[:0]
	for i := range rows {
		s.hashes = append(s.hashes, s.ids.Hash(string(rows[i].Invocation)))
	}
	for i := range rows {
		row := &rows[i]
		if err := s.checkRow(row, i, errorf); err != nil {
			return err
		}
		if first, again, err := s.ids.Add(string(row.Invocation), s.hashes[i]); err != nil {
			return errorf(i, "invocation", "%v", err)
		} else if again {
			return errorf(i, "invocation", "%q is on line %d of this window already", row.Invocation, s.line(first))
		}
		s.utils = appendIfAny(s.utils, s.first.UtilPct, row.UtilPct, s.jobs)
		s.kinds = appendIfAny(s.kinds, s.first.Kind, row.Kind, s.jobs)
		s.jobs = append(s.jobs, Job{
			ArrivalNs: int64(max(row.ArrivalNs, row.BeginNs.Nanos)), CPUNs: int64(row.CPUNs),
			Class: s.classes.of(string(row.Class)),
		})
		s.key = append(s.key, s.keys.of(row.Key))
		s.running = append(s.running, !row.EndNs.Valid)
		s.lines = append(s.lines, uint32(lines[i]-s.firstAt))
	}
	return nil
}

// appendIfAny appends what the next row has to a column that is nil while all rows
// before, which have jobs, have what the first has.
func appendIfAny[T comparable](column []T, first, value T, jobs []Job) []T {
	if column == nil && value == first {
		return nil
	}
	if column == nil {
		column = make([]T, len(jobs), cap(jobs))
		for k := range column {
			column[k] = first
		}
	}
	return append(column, value)
}

// reserve makes room for more rows: at once for all of the window, as far as
// that is known and not too much to believe.
func (s *store) reserve(more, whole int) {
	const believed = 1 << 20
	if want := len(s.jobs) + more; want > cap(s.jobs) {
		want = max(want, min(whole, max(believed, 2*len(s.jobs))), len(s.jobs)+len(s.jobs)/4)
		s.jobs = grown(s.jobs, want)
		s.key, s.lines, s.running = grown(s.key, want), grown(s.lines, want), grown(s.running, want)
		s.ids.Reserve(want)
		if s.utils != nil {
			s.utils = grown(s.utils, want)
		}
		if s.kinds != nil {
			s.kinds = grown(s.kinds, want)
		}
	}
}

// grown is a slice with room for so many.
func grown[T any](s []T, want int) []T {
	bigger := make([]T, len(s), want)
	copy(bigger, s)
	return bigger
}

func (s *store) line(i int) int { return s.firstAt + int(s.lines[i]) }

func (s *store) checkRow(row *stream.Invocation, i int, errorf errorf) error {
	switch {
	case row.EndNs.Valid && row.EndNs.Nanos < row.ArrivalNs:
		return errorf(i, "end_ns", "%d is before arrival_ns, which is %d", row.EndNs.Nanos, row.ArrivalNs)
	case row.BeginNs != s.first.BeginNs:
		return errorf(i, "begin_ns", "differs from that on line %d of this window", s.firstAt)
	case s.cpus > 0:
		return nil
	case row.CPUs != s.first.CPUs:
		return errorf(i, "cpus", "%d differs from the %d on line %d of this window; --cpus N simulates N instead", row.CPUs, s.first.CPUs, s.firstAt)
	case row.CPUs > MaxCPUs:
		return errorf(i, "cpus", "%d is more than the %d that can be simulated; --cpus N simulates N instead", row.CPUs, MaxCPUs)
	}
	return nil
}

// machineCPUs is how many CPUs are simulated.
func (s *store) machineCPUs() int {
	if s.cpus > 0 {
		return s.cpus
	}
	return int(s.first.CPUs)
}

// complete makes the jobs of the window what they are taken to need.
func (s *store) complete() {
	if s.asSeen {
		return
	}
	ended := make([]mean, len(s.classes.texts))
	for i := range s.jobs {
		if !s.running[i] {
			ended[s.jobs[i].Class].add(s.jobs[i].CPUNs)
		}
	}
	for i := range s.jobs {
		if usual := &ended[s.jobs[i].Class]; s.running[i] && usual.n > 0 {
			s.jobs[i].CPUNs = max(s.jobs[i].CPUNs, usual.value())
		}
	}
}

// mean is the mean of the values added, none of which is negative, rounded
// down. Their sum may pass 64 bits.
type mean struct{ n, high, low uint64 }

func (m *mean) add(value int64) {
	var carry uint64
	m.low, carry = bits.Add64(m.low, uint64(value), 0)
	m.high += carry
	m.n++
}

func (m *mean) value() int64 {
	// high < n, as each value is below 2^63.
	quotient, _ := bits.Div64(m.high, m.low, m.n)
	return int64(quotient)
}

// turn fills in the row of turn i.
func (s *store) turn(turns []Turn, i int, row *stream.Turn) {
	turn := &turns[i]
	first := firstTurn(turns, i)
	row.Class = stream.Name(s.classes.texts[s.jobs[turn.Job].Class])
	row.Key = s.keys.texts[s.key[turn.Job]]
	row.Invocation = stream.Name(s.ids.Of(turn.Job))
	row.Turn = stream.Count(i - first + 1)
	row.SliceNs = stream.Nanos(turn.SliceNs)
	row.WaitNs = stream.Nanos(turns[first].StartNs - s.jobs[turn.Job].ArrivalNs)
	row.CPUs = stream.Count(s.machineCPUs())
	row.UtilPct = s.first.UtilPct
	if s.utils != nil {
		row.UtilPct = s.utils[turn.Job]
	}
	row.Kind = s.first.Kind
	if s.kinds != nil {
		row.Kind = s.kinds[turn.Job]
	}
	row.StartNs = stream.OptNanos{Nanos: stream.Nanos(turn.StartNs), Valid: true}
}

// firstTurn is the first turn of the job of turn i. Most jobs have one or two
// turns, but a long one may have very many.
func firstTurn(turns []Turn, i int) int {
	job, step := turns[i].Job, 1
	for step <= i && turns[i-step].Job == job {
		step *= 2
	}
	from := max(i-step+1, 0)
	return from + sort.Search(i-from, func(k int) bool { return turns[from+k].Job == job })
}
