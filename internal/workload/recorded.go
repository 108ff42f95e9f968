package workload

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Recorded is an invocation of a recording, as it was last seen there.
type Recorded struct {
	// ID is what the recording calls it.
	ID string
	// Class may be any text.
	Class string
	// ArrivalNs is when it arrived, on the clock of the recording.
	ArrivalNs int64
	// CPUNs is the CPU time that it had used. Without any, it is left out.
	CPUNs int64
	// BlockNs is how long it had slept in all, in Sleeps sleeps. Where there
	// is the one, the other is over 0.
	BlockNs, Sleeps int64
	// Running says that it had not ended.
	Running bool
}

// RecordedOptions says what [FromRecorded] makes of a recording.
type RecordedOptions struct {
	// BeginNs is when the recording began. What had arrived before arrives
	// then: it was the load of that time, and else what was waited for since
	// would be part of the trace.
	BeginNs int64
	// SampleOf takes a random 1/SampleOf of the invocations, to the nearest
	// whole number; 1 takes all.
	SampleOf int
	// Limit takes so many invocations of the sample, the first; 0 takes all.
	Limit int
	// UtilisationPct, where it is over 0, scales all gaps by one factor so that
	// the CPUs are so busy; see [Load]. 0 leaves the arrivals as they were.
	UtilisationPct float64
	CPUs           int
	// Seed makes another sample.
	Seed uint64
}

func (o RecordedOptions) check() error {
	switch {
	case o.SampleOf < 1:
		return fmt.Errorf("a sample of 1/%d is no sample", o.SampleOf)
	case o.Limit < 0:
		return fmt.Errorf("a limit of %d is below 0", o.Limit)
	case o.UtilisationPct == 0:
		return nil
	}
	return o.load().Check()
}

func (o RecordedOptions) load() Load { return Load{UtilisationPct: o.UtilisationPct, CPUs: o.CPUs} }

// Changes says where a trace differs from the recording that it is made of.
type Changes struct {
	// Running invocations of the trace had not ended, so that they take what
	// they had used for all that they need; Early ones had arrived before the
	// recording began.
	Running, Early int
	// Idle invocations of the recording are left out: they had used no CPU time.
	Idle int
	// Renamed are the classes of the recording whose names the runner does not
	// take, in the order in which they are first met. No two classes have
	// one name.
	Renamed []Renamed
}

// Renamed is a class that has another name in the trace.
type Renamed struct{ From, To string }

// FromRecorded makes a trace of a recording, in any order, so that it can be
// run again. The first invocation arrives at 0. The same values give the same
// trace.
func FromRecorded(recorded []Recorded, o RecordedOptions) (Trace, Changes, error) {
	trace, changes, err := fromRecorded(recorded, o)
	if err != nil {
		return nil, changes, fmt.Errorf("making a trace: %w", err)
	}
	return trace, changes, nil
}

func fromRecorded(recorded []Recorded, o RecordedOptions) (Trace, Changes, error) {
	var changes Changes
	if err := o.check(); err != nil {
		return nil, changes, err
	}
	busy := slices.DeleteFunc(slices.Clone(recorded), func(r Recorded) bool { return r.CPUNs == 0 })
	changes.Idle = len(recorded) - len(busy)
	slices.SortStableFunc(busy, func(a, b Recorded) int {
		return cmp.Compare(max(a.ArrivalNs, o.BeginNs), max(b.ArrivalNs, o.BeginNs))
	})
	busy = sample(busy, newRand(o.Seed), o.SampleOf, o.Limit)
	if len(busy) == 0 {
		return nil, changes, errors.New("no invocation is left, or none has used CPU time")
	}
	if len(busy) > maxInvocations {
		return nil, changes, fmt.Errorf("%d invocations are more than %d; take a sample", len(busy), maxInvocations)
	}
	names, renamed, err := safeClasses(busy)
	if err != nil {
		return nil, changes, err
	}
	changes.Renamed = renamed
	firstNs := max(busy[0].ArrivalNs, o.BeginNs)
	trace := make(Trace, len(busy))
	for i, r := range busy {
		if r.Running {
			changes.Running++
		}
		if r.ArrivalNs < o.BeginNs {
			changes.Early++
		}
		trace[i] = Request{ArrivalNs: max(r.ArrivalNs, o.BeginNs) - firstNs, Class: names[r.Class], CPUNs: r.CPUNs}
		if r.BlockNs > 0 && r.Sleeps > 0 {
			trace[i].Sleeps = r.Sleeps
			trace[i].SleepNs = max(1, (r.BlockNs+r.Sleeps/2)/r.Sleeps)
		}
		if err := trace[i].checkTimes(); err != nil {
			return nil, changes, fmt.Errorf("invocation %q: %w", r.ID, err)
		}
	}
	if o.UtilisationPct > 0 {
		if len(trace) < 2 {
			return nil, changes, errors.New("one invocation has no utilisation; it takes two")
		}
		arrivals := make([]int64, len(trace))
		for i := range trace {
			arrivals[i] = trace[i].ArrivalNs
		}
		if err := o.load().arrive(trace, gapsBetween(arrivals)); err != nil {
			return nil, changes, err
		}
	}
	return trace, changes, nil
}

// sample returns a random 1/of of all, to the nearest whole number and in
// their order, and of those the first limit, if that is over 0.
func sample[T any](all []T, rng *rand.Rand, of, limit int) []T {
	if of > 1 {
		n := (len(all) + of/2) / of
		chosen := rng.Perm(len(all))[:n]
		slices.Sort(chosen)
		taken := make([]T, n)
		for i, j := range chosen {
			taken[i] = all[j]
		}
		all = taken
	}
	if limit > 0 && limit < len(all) {
		all = all[:limit]
	}
	return all
}

// safeClasses returns the name of each class in the trace: its own if the
// runner takes that, else one like it that no other class has.
func safeClasses(recorded []Recorded) (names map[string]string, renamed []Renamed, err error) {
	names, taken := make(map[string]string), make(map[string]bool)
	var refused []string
	for _, r := range recorded {
		if _, met := names[r.Class]; met {
			continue
		}
		if len(names) == maxClasses {
			return nil, nil, fmt.Errorf("there are more than %d classes; take a sample or fewer classes", maxClasses)
		}
		names[r.Class] = r.Class
		if CheckClass(r.Class) == nil {
			taken[r.Class] = true
		} else {
			refused = append(refused, r.Class)
		}
	}
	for _, class := range refused {
		like := safeName(class)
		name := like[:min(len(like), maxClassLen)]
		for n := 2; taken[name]; n++ {
			suffix := fmt.Sprintf("-%d", n)
			name = like[:min(len(like), maxClassLen-len(suffix))] + suffix
		}
		names[class], taken[name] = name, true
		renamed = append(renamed, Renamed{From: class, To: name})
	}
	return names, renamed, nil
}

// safeName replaces what the runner does not take in the name of a class; the
// length is left.
func safeName(class string) string {
	name := strings.Map(func(r rune) rune {
		if CheckClass("_"+string(r)) != nil {
			return '_'
		}
		return r
	}, class)
	if rest, dot := strings.CutPrefix(name, "."); dot || name == "" {
		name = "_" + rest
	}
	return name
}
