package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gocarina/gocsv"

	"alps/internal/sim"
	"alps/internal/workload"
)

// Groups is how many groups there are.
const Groups = 4

// Group is some classes of similar duration, and the slices that SRPT gives
// their invocations.
type Group struct {
	// Number is 1 for the shortest to [Groups].
	Number int
	// FromNs and ToNs are the shortest and longest mean CPU time of its classes.
	FromNs, ToNs int64
	Classes      []string // the shortest first
	Invocations  int
	// CPUPct is its share of all CPU time.
	CPUPct float64
	// Turns is how many turns its invocations have under SRPT, MeanNs, P10Ns,
	// P50Ns and P90Ns are of their slices.
	Turns               int
	MeanNs              float64
	P10Ns, P50Ns, P90Ns int64
	// Stdev is the standard deviation of the slices over their mean, each class
	// by itself: of all slices, how far they are off their class's mean, as a
	// share of it, root mean square. 0 is one length.
	Stdev float64
	// WithinPct is the share of slices within 20% of the median of their class.
	WithinPct float64
}

// Groups puts the classes into four groups by mean CPU time. Without bounds
// each has a quarter of the classes, the shorter groups one more where they do
// not divide; else a class is in the first group whose bound its mean does not
// pass. Slices are those of SRPT over all windows as one timeline. Groups
// without a class are left out.
func (t *Timeline) Groups(cfg sim.Config, minSliceNs int64, bounds []time.Duration) ([]Group, error) {
	if len(bounds) != 0 && len(bounds) != Groups-1 {
		return nil, fmt.Errorf("%d bounds do not make %d groups; it takes %d", len(bounds), Groups, Groups-1)
	}
	if !slices.IsSorted(bounds) {
		return nil, errors.New("the bounds of the groups do not grow")
	}
	cfg.KeepTurns = true
	r, err := t.run(cfg, sim.SRPT{MinSliceNs: minSliceNs})
	if err != nil {
		return nil, err
	}
	classes := make([]groupedClass, len(t.Classes))
	for i := range classes {
		classes[i].name = t.Classes[i]
	}
	var cpuNs float64
	for i := range t.Jobs {
		c := &classes[t.Jobs[i].Class]
		c.invocations++
		c.cpuNs += float64(t.Jobs[i].CPUNs)
		cpuNs += float64(t.Jobs[i].CPUNs)
	}
	for _, turn := range r.Turns {
		c := &classes[t.Jobs[turn.Job].Class]
		c.slicesNs = append(c.slicesNs, turn.SliceNs)
	}
	slices.SortFunc(classes, func(a, b groupedClass) int {
		return cmp.Or(cmp.Compare(a.meanNs(), b.meanNs()), cmp.Compare(a.name, b.name))
	})
	var groups []Group
	for g := range Groups {
		var of []groupedClass
		for i, c := range classes {
			if groupOf(c, i, len(classes), bounds) == g {
				of = append(of, c)
			}
		}
		if len(of) > 0 {
			group := makeGroup(of, cpuNs)
			group.Number = g + 1
			groups = append(groups, group)
		}
	}
	return groups, nil
}

type groupedClass struct {
	name        string
	invocations int
	cpuNs       float64
	slicesNs    []int64
}

func (c *groupedClass) meanNs() float64 { return c.cpuNs / float64(c.invocations) }

// groupOf is the group of the i-th shortest of n classes.
func groupOf(c groupedClass, i, n int, bounds []time.Duration) int {
	if len(bounds) == 0 {
		return i * Groups / n
	}
	for g, bound := range bounds {
		if c.meanNs() <= float64(bound) {
			return g
		}
	}
	return Groups - 1
}

func makeGroup(classes []groupedClass, cpuNs float64) Group {
	g := Group{FromNs: int64(math.Round(classes[0].meanNs())), ToNs: int64(math.Round(classes[len(classes)-1].meanNs()))}
	var all []int64
	var ownNs, squares float64
	within := 0
	for _, c := range classes {
		g.Classes = append(g.Classes, c.name)
		g.Invocations += c.invocations
		ownNs += c.cpuNs
		if len(c.slicesNs) == 0 {
			continue
		}
		slices.Sort(c.slicesNs)
		var sumNs float64
		for _, ns := range c.slicesNs {
			sumNs += float64(ns)
		}
		mean, median := sumNs/float64(len(c.slicesNs)), float64(workload.Percentile(c.slicesNs, 50))
		for _, ns := range c.slicesNs {
			off := float64(ns)/mean - 1
			squares += off * off
			if math.Abs(float64(ns)-median) <= 0.2*median {
				within++
			}
		}
		g.MeanNs += sumNs
		all = append(all, c.slicesNs...)
	}
	if cpuNs > 0 {
		g.CPUPct = 100 * ownNs / cpuNs
	}
	if g.Turns = len(all); g.Turns == 0 {
		return g
	}
	n := float64(len(all))
	g.MeanNs /= n
	g.Stdev = math.Sqrt(squares / n)
	g.WithinPct = 100 * float64(within) / n
	slices.Sort(all)
	g.P10Ns, g.P50Ns, g.P90Ns = workload.Percentile(all, 10), workload.Percentile(all, 50), workload.Percentile(all, 90)
	return g
}

// WriteGroups writes groups as CSV: group (its number), from_ns, to_ns,
// classes, invocations, cpu_pct, turns, slice_mean_ns, slice_p10_ns,
// slice_p50_ns, slice_p90_ns, slice_stdev, within_20_pct, names. Names are
// separated by blanks.
func WriteGroups(w io.Writer, groups []Group) error {
	type row struct {
		Group       int    `csv:"group"`
		FromNs      int64  `csv:"from_ns"`
		ToNs        int64  `csv:"to_ns"`
		Classes     int    `csv:"classes"`
		Invocations int    `csv:"invocations"`
		CPUPct      string `csv:"cpu_pct"`
		Turns       int    `csv:"turns"`
		MeanNs      int64  `csv:"slice_mean_ns"`
		P10Ns       int64  `csv:"slice_p10_ns"`
		P50Ns       int64  `csv:"slice_p50_ns"`
		P90Ns       int64  `csv:"slice_p90_ns"`
		Stdev       string `csv:"slice_stdev"`
		WithinPct   string `csv:"within_20_pct"`
		Names       string `csv:"names"`
	}
	rows := make([]row, len(groups))
	for i, g := range groups {
		rows[i] = row{
			Group: g.Number, FromNs: g.FromNs, ToNs: g.ToNs, Classes: len(g.Classes), Invocations: g.Invocations,
			CPUPct: strconv.FormatFloat(g.CPUPct, 'f', 2, 64), Turns: g.Turns, MeanNs: int64(math.Round(g.MeanNs)),
			P10Ns: g.P10Ns, P50Ns: g.P50Ns, P90Ns: g.P90Ns,
			Stdev: strconv.FormatFloat(g.Stdev, 'f', 4, 64), WithinPct: strconv.FormatFloat(g.WithinPct, 'f', 2, 64),
			Names: strings.Join(g.Classes, " "),
		}
	}
	return gocsv.Marshal(rows, w)
}
