package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"alps/internal/chart"
	"alps/internal/stream"
)

// runOffline learns from recorded windows and compares what was measured there
// with what SRPT would have done. Nothing but ALPS itself in a kernel is left
// out: the policy is checked as alps-load would check it, and not loaded.
func (o Options) runOffline(ctx context.Context, log io.Writer) (*Recording, error) {
	windows, err := os.ReadFile(o.Windows)
	if err != nil {
		return nil, fmt.Errorf("reading the recorded windows: %w", err)
	}
	recorded := o.path("kernel-invocations.csv")
	if err := os.WriteFile(recorded, windows, 0o644); err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "alps-sim | alps-tune | alps-load --dry-run, on %s\n", o.Windows)
	in, err := os.Open(recorded)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	if err := pipe(ctx, in,
		stage{[]string{o.tool("alps-sim")}, o.path("kernel-turns.csv")},
		stage{[]string{o.tool("alps-tune"), "--history", fmt.Sprint(o.History)}, o.path("kernel-policy.csv")},
		stage{[]string{o.tool("alps-load"), "--dry-run"}, o.path("kernel-dry-run.csv")},
	); err != nil {
		return nil, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	rows, windowCount, err := ended(stream.NewReader[stream.Invocation](in, o.Windows))
	if err != nil {
		return nil, err
	}
	srptNs, err := o.srpt(ctx, rows)
	if err != nil {
		return nil, err
	}
	r, err := newRecording(rows, srptNs)
	if err != nil {
		return nil, err
	}
	r.Windows = windowCount
	return r, nil
}

// ended returns the invocations of a stream that ended, as they were last seen,
// in order of arrival, as rows of a single window; and how many windows the
// stream has.
func ended(in *stream.Reader[stream.Invocation]) (rows []stream.Invocation, windows int, err error) {
	last := make(map[stream.Name]stream.Invocation)
	for {
		w, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
		windows++
		for _, row := range w.Rows {
			// Of the whole recording, no window began at any time in it.
			row.BeginNs = stream.OptNanos{}
			last[row.Invocation] = row
		}
	}
	for _, row := range last {
		if row.EndNs.Valid {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return nil, 0, errors.New("no invocation ended in the recorded windows")
	}
	slices.SortFunc(rows, func(a, b stream.Invocation) int {
		return cmp.Or(cmp.Compare(a.ArrivalNs, b.ArrivalNs), cmp.Compare(a.Invocation, b.Invocation))
	})
	return rows, windows, nil
}

// A Recording compares what was measured in recorded windows with SRPT.
type Recording struct {
	Windows int
	CPUs    int
	// Rows has a row a class, shortest CPU time first, and as the last one that
	// of all invocations.
	Rows []RecordingRow
	// MeasuredNs and SRPTNs are the turnarounds of all invocations, in no order.
	MeasuredNs, SRPTNs []int64
}

// RecordingRow is the means of a class.
type RecordingRow struct {
	Class                     string
	N                         int
	CPUNs, MeasuredNs, SRPTNs float64
}

// Ratio is the mean turnaround that SRPT would have given over the measured one.
func (r RecordingRow) Ratio() float64 { return r.SRPTNs / r.MeasuredNs }

// All is the row of all invocations.
func (r *Recording) All() RecordingRow { return r.Rows[len(r.Rows)-1] }

// newRecording makes the table of invocations that ended.
func newRecording(rows []stream.Invocation, srptNs map[string]int64) (*Recording, error) {
	r := &Recording{CPUs: int(rows[0].CPUs)}
	all := &RecordingRow{Class: allClasses}
	byClass := make(map[string]*RecordingRow)
	for _, row := range rows {
		srpt, found := srptNs[string(row.Invocation)]
		if !found {
			return nil, fmt.Errorf("invocation %s has no turn under SRPT", row.Invocation)
		}
		measured := int64(row.EndNs.Nanos - row.ArrivalNs)
		r.MeasuredNs = append(r.MeasuredNs, measured)
		r.SRPTNs = append(r.SRPTNs, srpt)
		of := byClass[string(row.Class)]
		if of == nil {
			of = &RecordingRow{Class: string(row.Class)}
			byClass[of.Class] = of
		}
		for _, sums := range []*RecordingRow{of, all} {
			sums.N++
			sums.CPUNs += float64(row.CPUNs)
			sums.MeasuredNs += float64(measured)
			sums.SRPTNs += float64(srpt)
		}
	}
	for _, of := range byClass {
		r.Rows = append(r.Rows, of.means())
	}
	slices.SortFunc(r.Rows, func(a, b RecordingRow) int {
		return cmp.Or(cmp.Compare(a.CPUNs, b.CPUNs), cmp.Compare(a.Class, b.Class))
	})
	r.Rows = append(r.Rows, all.means())
	return r, nil
}

func (r *RecordingRow) means() RecordingRow {
	n := float64(r.N)
	return RecordingRow{Class: r.Class, N: r.N, CPUNs: r.CPUNs / n, MeasuredNs: r.MeasuredNs / n, SRPTNs: r.SRPTNs / n}
}

// Write implements [Result].
func (r *Recording) Write(w io.Writer) error {
	g := grid{groups: []group{{"", 2}, {"CPU time", 1}, {"measured", 1}, {"SRPT", 1}, {"SRPT over", 1}}}
	g.add("class", "n", "mean", "mean", "mean", "measured")
	for _, row := range r.Rows {
		g.add(row.Class, fmt.Sprint(row.N), ms(row.CPUNs), ms(row.MeasuredNs), ms(row.SRPTNs), ratio(row.Ratio()))
	}
	all := r.All()
	_, err := fmt.Fprintf(w, "CPU time and turnaround in ms of invocations that ended, on %s, as recorded and under SRPT, the ideal.\n\n%s\n"+
		"Learnt from %d windows. Mean turnaround under SRPT, which ALPS comes near to: %s of the measured.\n",
		cpus(r.CPUs), g, r.Windows, ratio(all.Ratio()))
	return err
}

// Plot implements [Result].
func (r *Recording) Plot(path string) error {
	return chart.Distributions{
		Title: fmt.Sprintf("Turnaround of %d recorded invocations on %s", r.All().N, cpus(r.CPUs)),
		X:     chart.Axis{Label: "turnaround", Unit: chart.Ns},
		Curves: []chart.Curve{
			chart.NewCurve("as measured", r.MeasuredNs),
			chart.NewCurve("SRPT, the ideal", r.SRPTNs),
		},
	}.Save(path)
}
