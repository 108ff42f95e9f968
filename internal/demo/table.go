package demo

import (
	"errors"
	"fmt"
	"io"

	"alps/internal/chart"
	"alps/internal/workload"
)

const allClasses = workload.AllClasses

// A Table compares one workload under the kernel's own scheduler, under ALPS,
// and under SRPT without any cost.
type Table struct {
	Kernel string // the kernel's name and version: "Linux 7.3.4"
	CPUs   int
	// Rows has a row a class, shortest demand first, and as the last one that
	// of all invocations.
	Rows []Row
	// KernelNs, ALPSNs and SRPTNs are the turnarounds of all invocations, in no
	// order.
	KernelNs, ALPSNs, SRPTNs []int64
}

// A Row is a class under the schedulers.
type Row struct {
	Kernel, ALPS workload.Summary
	// SRPTMeanNs is the mean turnaround that SRPT would have given.
	SRPTMeanNs float64
}

// Ratio is the mean turnaround under ALPS over that under the kernel's own
// scheduler.
func (r Row) Ratio() float64 { return r.ALPS.MeanNs / r.Kernel.MeanNs }

// RatioToSRPT is the mean turnaround under ALPS over that under SRPT.
func (r Row) RatioToSRPT() float64 { return r.ALPS.MeanNs / r.SRPTMeanNs }

// All is the row of all invocations.
func (t *Table) All() Row { return t.Rows[len(t.Rows)-1] }

// Longest is the row of the class with the longest demand.
func (t *Table) Longest() Row { return t.Rows[len(t.Rows)-2] }

// newTable makes the table. The turnarounds under SRPT are by invocation.
func newTable(kernel, alps []workload.Outcome, srptNs map[string]int64) (*Table, error) {
	if len(kernel) == 0 || len(kernel) != len(alps) {
		return nil, fmt.Errorf("%d invocations under the kernel's own scheduler and %d under ALPS", len(kernel), len(alps))
	}
	t := &Table{}
	sum := make(map[string]float64)
	for i := range alps {
		ns, found := srptNs[alps[i].Invocation]
		if !found {
			return nil, fmt.Errorf("invocation %s has no turn under SRPT", alps[i].Invocation)
		}
		sum[alps[i].Class] += float64(ns)
		sum[allClasses] += float64(ns)
		t.KernelNs = append(t.KernelNs, kernel[i].TurnaroundNs())
		t.ALPSNs = append(t.ALPSNs, alps[i].TurnaroundNs())
		t.SRPTNs = append(t.SRPTNs, ns)
	}
	before, after := workload.Summarize(kernel), workload.Summarize(alps)
	if len(before) != len(after) {
		return nil, errDiffer
	}
	for i, k := range before {
		if after[i].Class != k.Class || after[i].N != k.N {
			return nil, errDiffer
		}
		t.Rows = append(t.Rows, Row{Kernel: k, ALPS: after[i], SRPTMeanNs: sum[k.Class] / float64(k.N)})
	}
	return t, nil
}

var errDiffer = errors.New("the two runs had different workloads")

// Write implements [Result].
func (t *Table) Write(w io.Writer) error {
	g := grid{groups: []group{{"", 2}, {"CPU", 1}, {t.Kernel, 5}, {"ALPS", 5}, {"SRPT", 1}, {"ALPS over", 2}}}
	header := []string{"class", "n", "mean"}
	for range 2 {
		header = append(header, "mean", "p50", "p90", "p99", "switches")
	}
	g.add(append(header, "mean", "Linux", "SRPT")...)
	for _, r := range t.Rows {
		cells := []string{r.Kernel.Class, fmt.Sprint(r.Kernel.N), ms(r.ALPS.CPUNs)}
		for _, s := range []workload.Summary{r.Kernel, r.ALPS} {
			cells = append(cells, ms(s.MeanNs), ms(float64(s.P50Ns)), ms(float64(s.P90Ns)), ms(float64(s.P99Ns)), fmt.Sprint(s.Switches))
		}
		g.add(append(cells, ms(r.SRPTMeanNs), ratio(r.Ratio()), ratio(r.RatioToSRPT()))...)
	}
	all := t.All()
	_, err := fmt.Fprintf(w, "CPU time and turnaround in ms on %s, under %s's own scheduler, under ALPS, and under SRPT, the ideal.\n\n%s\n"+
		"Mean turnaround under ALPS: %s of that under %s, %s of that under SRPT; context switches: %s.\n",
		cpus(t.CPUs), t.Kernel, g, ratio(all.Ratio()), t.Kernel, ratio(all.RatioToSRPT()),
		ratio(float64(all.ALPS.Switches)/float64(all.Kernel.Switches)))
	return err
}

// Plot implements [Result].
func (t *Table) Plot(path string) error {
	return chart.Distributions{
		Title: fmt.Sprintf("Turnaround of the same %d invocations on %s", t.All().Kernel.N, cpus(t.CPUs)),
		X:     chart.Axis{Label: "turnaround", Unit: chart.Ns},
		Curves: []chart.Curve{
			chart.NewCurve(t.Kernel, t.KernelNs),
			chart.NewCurve("ALPS", t.ALPSNs),
			chart.NewCurve("SRPT, the ideal", t.SRPTNs),
		},
	}.Save(path)
}
