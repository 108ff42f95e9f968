package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/gocarina/gocsv"

	"alps/internal/sim"
	"alps/internal/workload"
)

// AllClasses is the class of the figures of all invocations.
const AllClasses = "*"

// Outcome is what became of one invocation under a policy.
type Outcome struct {
	Class string
	// ArrivalNs is on the clock of the windows; of what was measured, on that of
	// its run.
	ArrivalNs    int64
	CPUNs        int64
	TurnaroundNs int64
	// Slowdown is the turnaround over what it would have been alone, CPU time
	// and sleep.
	Slowdown float64
	Switches int64
}

// Figures is a row of the table: a class under a policy.
type Figures struct {
	Policy string
	// Class is [AllClasses] for all invocations.
	Class string
	N     int
	// MeanNs is the mean turnaround; the others are its percentiles by nearest
	// rank, hence turnarounds that were.
	MeanNs              float64
	P50Ns, P90Ns, P99Ns int64
	MeanSlowdown        float64
	// Switches is how often the invocations left a CPU, in all.
	Switches int64

	cpuNs float64 // mean
}

// FiguresOf makes the rows of a policy: the classes by mean CPU time, the
// shortest first, then all of them.
func FiguresOf(policy string, outcomes []Outcome) []Figures {
	byClass := make(map[string][]Outcome)
	for _, o := range outcomes {
		byClass[o.Class] = append(byClass[o.Class], o)
	}
	rows := make([]Figures, 0, len(byClass)+1)
	for class, of := range byClass {
		rows = append(rows, figures(policy, class, of))
	}
	slices.SortFunc(rows, func(a, b Figures) int {
		return cmp.Or(cmp.Compare(a.cpuNs, b.cpuNs), cmp.Compare(a.Class, b.Class))
	})
	return append(rows, figures(policy, AllClasses, outcomes))
}

func figures(policy, class string, outcomes []Outcome) Figures {
	f := Figures{Policy: policy, Class: class, N: len(outcomes)}
	turnaroundsNs := make([]int64, len(outcomes))
	for i, o := range outcomes {
		turnaroundsNs[i] = o.TurnaroundNs
		f.MeanNs += float64(o.TurnaroundNs)
		f.MeanSlowdown += o.Slowdown
		f.Switches += o.Switches
		f.cpuNs += float64(o.CPUNs)
	}
	n := float64(len(outcomes))
	f.MeanNs /= n
	f.MeanSlowdown /= n
	f.cpuNs /= n
	slices.Sort(turnaroundsNs)
	f.P50Ns = workload.Percentile(turnaroundsNs, 50)
	f.P90Ns = workload.Percentile(turnaroundsNs, 90)
	f.P99Ns = workload.Percentile(turnaroundsNs, 99)
	return f
}

// Row is a row as it is written.
type Row struct {
	Policy       string `csv:"policy"`
	Class        string `csv:"class"`
	N            int    `csv:"n"`
	MeanNs       int64  `csv:"mean_ns"`
	P50Ns        int64  `csv:"p50_ns"`
	P90Ns        int64  `csv:"p90_ns"`
	P99Ns        int64  `csv:"p99_ns"`
	MeanSlowdown string `csv:"mean_slowdown"`
	Switches     int64  `csv:"switches"`
}

// rowWithRatios is a row with what it is over the same figure of the baseline.
type rowWithRatios struct {
	Row
	MeanRatio     string `csv:"mean_ratio"`
	P50Ratio      string `csv:"p50_ratio"`
	P90Ratio      string `csv:"p90_ratio"`
	P99Ratio      string `csv:"p99_ratio"`
	SlowdownRatio string `csv:"slowdown_ratio"`
	SwitchesRatio string `csv:"switches_ratio"`
}

func (f *Figures) row() Row {
	return Row{
		Policy: f.Policy, Class: f.Class, N: f.N,
		MeanNs: int64(math.Round(f.MeanNs)), P50Ns: f.P50Ns, P90Ns: f.P90Ns, P99Ns: f.P99Ns,
		MeanSlowdown: decimals(f.MeanSlowdown), Switches: f.Switches,
	}
}

func decimals(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// ratio is empty where there is nothing to compare with.
func ratio(a, b float64) string {
	if b == 0 {
		return ""
	}
	return decimals(a / b)
}

// WriteFigures writes the table as CSV: policy, class, n, mean_ns, p50_ns,
// p90_ns, p99_ns, mean_slowdown, switches, and where baseline is not empty the
// ratios to the rows of the policy of that name.
func WriteFigures(w io.Writer, rows []Figures, baseline string) error {
	if baseline == "" {
		out := make([]Row, len(rows))
		for i := range rows {
			out[i] = rows[i].row()
		}
		return gocsv.Marshal(out, w)
	}
	base := make(map[string]*Figures)
	for i := range rows {
		if rows[i].Policy == baseline {
			base[rows[i].Class] = &rows[i]
		}
	}
	if len(base) == 0 {
		return fmt.Errorf("the baseline %q is none of the policies", baseline)
	}
	out := make([]rowWithRatios, len(rows))
	for i := range rows {
		f := &rows[i]
		out[i] = rowWithRatios{Row: f.row()}
		b := base[f.Class]
		if b == nil {
			continue
		}
		out[i].MeanRatio = ratio(f.MeanNs, b.MeanNs)
		out[i].P50Ratio = ratio(float64(f.P50Ns), float64(b.P50Ns))
		out[i].P90Ratio = ratio(float64(f.P90Ns), float64(b.P90Ns))
		out[i].P99Ratio = ratio(float64(f.P99Ns), float64(b.P99Ns))
		out[i].SlowdownRatio = ratio(f.MeanSlowdown, b.MeanSlowdown)
		out[i].SwitchesRatio = ratio(float64(f.Switches), float64(b.Switches))
	}
	return gocsv.Marshal(out, w)
}

// Outcomes makes the outcomes of a simulation of the timeline's jobs, but for
// those first seen in the first skip windows.
func (t *Timeline) Outcomes(r *sim.Result, skip int) ([]Outcome, error) {
	first, err := t.counted(skip)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, 0, len(t.Jobs))
	for i := range t.Jobs {
		if t.firstWindow[i] < first {
			continue
		}
		job := &t.Jobs[i]
		tookNs := r.EndNs[i] - job.ArrivalNs
		outcomes = append(outcomes, Outcome{
			Class: t.Classes[job.Class], ArrivalNs: job.ArrivalNs, CPUNs: job.CPUNs, TurnaroundNs: tookNs,
			Slowdown: slowdown(tookNs, job.CPUNs+job.BlockNs), Switches: int64(r.Switches[i]),
		})
	}
	return outcomes, nil
}

// slowdown of what needs no time is that of what needs 1 ns.
func slowdown(tookNs, aloneNs int64) float64 {
	return float64(max(tookNs, 1)) / float64(max(aloneNs, 1))
}

// Measured makes outcomes of what the workload runner measured. If skip is not
// 0, those that arrived as early in their run as the timeline's first skip
// windows are left out.
func (t *Timeline) Measured(measured []workload.Outcome, skip int) ([]Outcome, error) {
	if len(measured) == 0 {
		return nil, errors.New("no invocation was measured")
	}
	var teachNs int64
	if skip > 0 {
		if _, err := t.counted(skip); err != nil {
			return nil, err
		}
		firstNs := t.Jobs[0].ArrivalNs
		for i := range t.Jobs {
			firstNs = min(firstNs, t.Jobs[i].ArrivalNs)
		}
		teachNs = t.Windows[skip].BeginNs - firstNs
	}
	firstNs := measured[0].ArrivalNs
	for _, m := range measured {
		firstNs = min(firstNs, m.ArrivalNs)
	}
	var outcomes []Outcome
	for _, m := range measured {
		if m.ArrivalNs-firstNs < teachNs {
			continue
		}
		outcomes = append(outcomes, Outcome{
			Class: m.Class, ArrivalNs: m.ArrivalNs, CPUNs: m.CPUNs, TurnaroundNs: m.TurnaroundNs(), Slowdown: m.Slowdown(), Switches: m.Switches(),
		})
	}
	if len(outcomes) == 0 {
		return nil, fmt.Errorf("no measured invocation is left after the first %d windows, which only teach", skip)
	}
	return outcomes, nil
}
