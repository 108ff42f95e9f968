package workload

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// AllClasses is the class of the [Summary] of all invocations.
const AllClasses = "all"

// Summary is what became of the invocations of one class.
type Summary struct {
	Class string
	N     int
	// DemandNs is the mean CPU time asked for, CPUNs the mean used.
	DemandNs, CPUNs float64
	// MeanNs is the mean turnaround; P50Ns, P90Ns and P99Ns are percentiles
	// of the turnaround by nearest rank, hence turnarounds that were.
	MeanNs              float64
	P50Ns, P90Ns, P99Ns int64
	// Slowdown is the mean of the invocations' slowdowns.
	Slowdown float64
	// Switches is the number of context switches in all.
	Switches int64
	// LateNs is the mean time from an arrival to the runner's fork.
	LateNs float64
}

// Summarize returns the figures of each class, the one with the shortest mean
// demand first, and after them those of all invocations, as [AllClasses]. It
// returns nil for no outcomes.
func Summarize(outcomes []Outcome) []Summary {
	if len(outcomes) == 0 {
		return nil
	}
	byClass := make(map[string][]Outcome)
	for _, o := range outcomes {
		byClass[o.Class] = append(byClass[o.Class], o)
	}
	summaries := make([]Summary, 0, len(byClass)+1)
	for class, of := range byClass {
		summaries = append(summaries, summarize(class, of))
	}
	slices.SortFunc(summaries, func(a, b Summary) int {
		return cmp.Or(cmp.Compare(a.DemandNs, b.DemandNs), cmp.Compare(a.Class, b.Class))
	})
	return append(summaries, summarize(AllClasses, outcomes))
}

func summarize(class string, outcomes []Outcome) Summary {
	s := Summary{Class: class, N: len(outcomes)}
	turnarounds := make([]int64, len(outcomes))
	for i, o := range outcomes {
		turnarounds[i] = o.TurnaroundNs()
		s.MeanNs += float64(o.TurnaroundNs())
		s.DemandNs += float64(o.DemandNs)
		s.CPUNs += float64(o.CPUNs)
		s.LateNs += float64(o.ForkNs - o.ArrivalNs)
		s.Slowdown += o.Slowdown()
		s.Switches += o.Switches()
	}
	n := float64(len(outcomes))
	s.MeanNs /= n
	s.DemandNs /= n
	s.CPUNs /= n
	s.LateNs /= n
	s.Slowdown /= n
	slices.Sort(turnarounds)
	s.P50Ns, s.P90Ns, s.P99Ns = Percentile(turnarounds, 50), Percentile(turnarounds, 90), Percentile(turnarounds, 99)
	return s
}

// Percentile returns the smallest of the sorted values that at least p % of
// them do not exceed.
func Percentile(sorted []int64, p int) int64 {
	rank := (len(sorted)*p + 99) / 100
	return sorted[max(rank, 1)-1]
}

// WriteSummary writes the figures as CSV.
func WriteSummary(w io.Writer, summaries []Summary) error {
	out := csv.NewWriter(w)
	// The errors of Write stay with the writer until Error.
	out.Write([]string{"class", "n", "demand_ns", "cpu_ns", "mean_ns", "p50_ns", "p90_ns", "p99_ns", "slowdown", "switches", "late_ns"})
	for _, s := range summaries {
		out.Write([]string{
			s.Class, strconv.Itoa(s.N), whole(s.DemandNs), whole(s.CPUNs), whole(s.MeanNs),
			strconv.FormatInt(s.P50Ns, 10), strconv.FormatInt(s.P90Ns, 10), strconv.FormatInt(s.P99Ns, 10),
			fmt.Sprintf("%.3f", s.Slowdown), strconv.FormatInt(s.Switches, 10), whole(s.LateNs),
		})
	}
	out.Flush()
	return out.Error()
}

func whole(v float64) string { return strconv.FormatInt(int64(math.Round(v)), 10) }
