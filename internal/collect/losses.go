package collect

import (
	"fmt"
	"slices"
	"strings"

	"alps/bpf"
	"alps/internal/stream"
)

// losses counts what the stream should have and has not, by cause.
type losses struct {
	TableFull, RingFull, EndNotSeen uint64 // in the kernel side
	NotRun                          uint64 // the kernel did not run it
	PathTooLong, WindowFull         uint64 // in the collector
	ClassGone, ClassDenied          uint64 // by the rules
	ExecsLost                       uint64 // by the rules' kernel side
}

// plus returns the sum of two counts.
func (l losses) plus(m losses) losses {
	return losses{
		TableFull:   l.TableFull + m.TableFull,
		RingFull:    l.RingFull + m.RingFull,
		EndNotSeen:  l.EndNotSeen + m.EndNotSeen,
		NotRun:      l.NotRun + m.NotRun,
		PathTooLong: l.PathTooLong + m.PathTooLong,
		WindowFull:  l.WindowFull + m.WindowFull,
		ClassGone:   l.ClassGone + m.ClassGone,
		ClassDenied: l.ClassDenied + m.ClassDenied,
		ExecsLost:   l.ExecsLost + m.ExecsLost,
	}
}

// minus returns what was lost since an earlier count.
func (l losses) minus(earlier losses) losses {
	return losses{
		TableFull:   l.TableFull - earlier.TableFull,
		RingFull:    l.RingFull - earlier.RingFull,
		EndNotSeen:  l.EndNotSeen - earlier.EndNotSeen,
		NotRun:      l.NotRun - earlier.NotRun,
		PathTooLong: l.PathTooLong - earlier.PathTooLong,
		WindowFull:  l.WindowFull - earlier.WindowFull,
		ClassGone:   l.ClassGone - earlier.ClassGone,
		ClassDenied: l.ClassDenied - earlier.ClassDenied,
		ExecsLost:   l.ExecsLost - earlier.ExecsLost,
	}
}

// sum is how much was lost, by whatever cause.
func (l losses) sum() uint64 {
	return l.TableFull + l.RingFull + l.EndNotSeen + l.NotRun + l.PathTooLong + l.WindowFull +
		l.ClassGone + l.ClassDenied + l.ExecsLost
}

// String names each cause that lost something; it is empty if none did.
func (l losses) String() string {
	var texts []string
	for _, cause := range []struct {
		count uint64
		text  string
	}{
		{l.TableFull, "invocations (more alive at once than the table holds)"},
		{l.RingFull, "ends of invocations (ring buffer full)"},
		{l.EndNotSeen, "invocations (end not seen)"},
		{l.NotRun, "events (tracing program already running on the CPU)"},
		{l.PathTooLong, "invocations (cgroup path longer than 1024 bytes or 32 levels)"},
		{l.WindowFull, "invocations (more in the window than a window may have)"},
		{l.ClassGone, "invocations (class not known: what a rule asks for had gone)"},
		{l.ClassDenied, "invocations (class not known: no permission to read what a rule asks for; CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE give it)"},
		{l.ExecsLost, "execs, from which rules learn (ring buffer full)"},
	} {
		if cause.count > 0 {
			texts = append(texts, fmt.Sprintf("%d %s", cause.count, cause.text))
		}
	}
	return strings.Join(texts, ", ")
}

// Losses counts what the kernel side has lost since it was attached.
func (t *tracer) Losses() (losses, error) {
	var l losses
	for cause, count := range map[bpf.CollectLoss]*uint64{
		bpf.CollectLossTABLE_FULL:   &l.TableFull,
		bpf.CollectLossRING_FULL:    &l.RingFull,
		bpf.CollectLossEND_NOT_SEEN: &l.EndNotSeen,
	} {
		if err := t.loaded.Maps[lostMap].Lookup(uint32(cause), count); err != nil {
			return l, fmt.Errorf("reading the counts of lost events: %w", err)
		}
	}
	for _, name := range t.attached {
		stats, err := t.loaded.Programs[name].Stats()
		if err != nil {
			return l, fmt.Errorf("reading the counts of lost events: %w", err)
		}
		if !slices.Contains(t.kind.recovered, name) {
			l.NotRun += stats.RecursionMisses
		}
	}
	return l, nil
}

// TooShort counts the bursts that were no requests, of all threads there are.
func (t *tracer) TooShort() (count uint64, err error) {
	if t.kind != kinds[stream.Request] {
		return 0, nil
	}
	var perCPU []uint64
	if err := t.loaded.Maps[bpf.RequestMapTooShort].Lookup(uint32(0), &perCPU); err != nil {
		return 0, fmt.Errorf("reading the count of short bursts: %w", err)
	}
	for _, n := range perCPU {
		count += n
	}
	return count, nil
}
