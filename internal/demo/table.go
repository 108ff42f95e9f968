package demo

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"alps/internal/workload"
)

// A Table compares one workload under the kernel's own scheduler, under ALPS,
// and under SRPT without any cost.
type Table struct {
	// Rows has a row a class, shortest demand first, and as the last one that
	// of all invocations.
	Rows []Row
	// Turnarounds of all invocations in ns, in no order.
	Kernel, ALPS, SRPT []int64
}

// A Row is a class under the schedulers.
type Row struct {
	Kernel, ALPS workload.Summary
	// SRPTMeanNs is the mean turnaround that SRPT would have given.
	SRPTMeanNs float64
}

// Ratio is the mean turnaround under ALPS over that under the kernel's own
// scheduler, RatioToSRPT that over SRPT's.
func (r Row) Ratio() float64       { return r.ALPS.MeanNs / r.Kernel.MeanNs }
func (r Row) RatioToSRPT() float64 { return r.ALPS.MeanNs / r.SRPTMeanNs }

// All is the row of all invocations.
func (t *Table) All() Row { return t.Rows[len(t.Rows)-1] }

// newTable makes the table. The turnarounds under SRPT are by invocation.
func newTable(kernel, alps []workload.Outcome, srptNs map[string]int64) (*Table, error) {
	if len(kernel) == 0 || len(kernel) != len(alps) {
		return nil, fmt.Errorf("%d invocations under the kernel's own scheduler and %d under ALPS", len(kernel), len(alps))
	}
	t := &Table{}
	sum, n := make(map[string]float64), make(map[string]int)
	for i := range alps {
		ns, found := srptNs[alps[i].Invocation]
		if !found {
			return nil, fmt.Errorf("invocation %s has no turn under SRPT", alps[i].Invocation)
		}
		for _, class := range []string{alps[i].Class, workload.AllClasses} {
			sum[class] += float64(ns)
			n[class]++
		}
		t.Kernel = append(t.Kernel, kernel[i].TurnaroundNs())
		t.ALPS = append(t.ALPS, alps[i].TurnaroundNs())
		t.SRPT = append(t.SRPT, ns)
	}
	under := workload.Summarize(alps)
	for i, k := range workload.Summarize(kernel) {
		if under[i].Class != k.Class {
			return nil, errors.New("the two runs had different workloads")
		}
		t.Rows = append(t.Rows, Row{Kernel: k, ALPS: under[i], SRPTMeanNs: sum[k.Class] / float64(n[k.Class])})
	}
	return t, nil
}

// Write prints the table for people; times in ms.
func (t *Table) Write(w io.Writer) error {
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "\t\t\tkernel\t\t\t\t\tALPS\t\t\t\t\tALPS/\tSRPT\tALPS/\t")
	fmt.Fprintln(tw, "class\tn\tcpu\tmean\tp50\tp90\tp99\tswitches\tmean\tp50\tp90\tp99\tswitches\tkernel\tmean\tSRPT\t")
	for _, r := range t.Rows {
		fmt.Fprintf(tw, "%s\t%d\t%s\t", r.Kernel.Class, r.Kernel.N, ms(r.ALPS.CPUNs))
		for _, s := range []workload.Summary{r.Kernel, r.ALPS} {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%d\t", ms(s.MeanNs), ms(float64(s.P50Ns)), ms(float64(s.P90Ns)), ms(float64(s.P99Ns)), s.Switches)
		}
		fmt.Fprintf(tw, "%.2f\t%s\t%.2f\t\n", r.Ratio(), ms(r.SRPTMeanNs), r.RatioToSRPT())
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	_, err := w.Write(text.Bytes())
	return err
}

func ms(ns float64) string {
	if ns >= 1e9 {
		return fmt.Sprintf("%.0f", ns/1e6)
	}
	return fmt.Sprintf("%.1f", ns/1e6)
}
