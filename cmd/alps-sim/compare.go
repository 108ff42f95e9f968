package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"alps/internal/chart"
	"alps/internal/cli"
	"alps/internal/compare"
	"alps/internal/patience"
	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/tune"
	"alps/internal/workload"
)

// inputFlags are the recorded windows that a study reads.
type inputFlags struct {
	Quiet bool     `short:"q" help:"Show no progress."`
	Files []string `arg:"" optional:"" name:"file" help:"Invocations to read, oldest windows first (default: stdin)."`
}

// open opens the streams. The function closes them.
func (f *inputFlags) open(tool cli.IO) (readers []*stream.Reader[stream.Invocation], shut func(), err error) {
	files := f.Files
	if len(files) == 0 {
		files = []string{"-"}
	}
	var opened []io.Closer
	shut = func() {
		for _, c := range opened {
			c.Close()
		}
	}
	for _, file := range files {
		in, name, err := cli.Input(tool, file)
		if err != nil {
			shut()
			return nil, nil, err
		}
		opened = append(opened, in)
		readers = append(readers, stream.NewReader[stream.Invocation](in, name, stream.WarnTo(tool.Messages())))
	}
	return readers, shut, nil
}

type compareFlags struct {
	machineFlags `embed:""`
	predictFlags `embed:""`
	inputFlags   `embed:""`

	Policies []string      `default:"srpt,fifo,cfs,eevdf,sfs,alps" placeholder:"NAME,…" help:"Policies: srpt, fifo, rr, cfs, eevdf, sfs, alps, alps-paper, gittins (default: ${default})."`
	Measured []string      `sep:"none" placeholder:"NAME=FILE" help:"A result file of the workload runner as one more policy. May be given several times."`
	Baseline string        `placeholder:"NAME" help:"Add ratios to this policy."`
	Skip     *int          `placeholder:"N" help:"The first N windows only teach and are left out of all figures (default: 1 if one of the policies learns, else 0)."`
	Plot     string        `placeholder:"FILE" help:"Draw the distributions of turnarounds into an SVG or PNG file."`
	Outcomes string        `placeholder:"FILE" help:"Write what became of each invocation under each policy into a CSV file."`
	MinSlice time.Duration `name:"min-slice" default:"0s" placeholder:"DURATION" help:"SRPT's minimum slice (default: ${default}, the ideal)."`
	Quantum  time.Duration `default:"100ms" placeholder:"DURATION" help:"Quantum of rr (default: ${default})."`
	History  int           `default:"1" placeholder:"N" help:"Policies that learn do so from the last N windows (default: ${default})."`
	Drift    bool          `help:"As in alps-tune, of alps and alps-paper; with a history of 2 or more (default: no)."`
	RankBy   string        `name:"rank-by" enum:"gittins,demand,wait,slice" default:"gittins" help:"As in alps-tune: gittins, demand, wait or slice (default: ${default})."`
	Stretch  int           `default:"4" placeholder:"N" help:"As in alps-load (default: ${default})."`
	MaxWait  time.Duration `name:"max-wait" default:"1s" placeholder:"DURATION" help:"As in alps-load; 0s for never (default: ${default})."`

	measured []measured
}

type measured struct{ name, file string }

// Validate is called by kong.
func (f *compareFlags) Validate() error {
	if err := errors.Join(f.machineFlags.Validate(), f.predictFlags.Validate()); err != nil {
		return err
	}
	f.measured = nil
	shown := slices.Clone(f.rowNames())
	for _, text := range f.Measured {
		name, file, ok := strings.Cut(text, "=")
		if !ok || name == "" || file == "" {
			return fmt.Errorf("--measured: %q is not NAME=FILE", text)
		}
		if slices.Contains(shown, name) {
			return fmt.Errorf("--measured: there is a policy %q already", name)
		}
		shown = append(shown, name)
		f.measured = append(f.measured, measured{name, file})
	}
	switch {
	case f.Baseline != "" && !slices.Contains(shown, f.Baseline):
		return fmt.Errorf("--baseline: %q is none of %s", f.Baseline, strings.Join(shown, ", "))
	case f.Skip != nil && *f.Skip < 0:
		return errors.New("--skip: the number of windows is at least 0")
	case f.Quantum < 1:
		return errors.New("--quantum: at least 1ns is needed")
	case f.History < 1 || f.History > tune.MaxHistory:
		return fmt.Errorf("--history: %d is not from 1 to %d", f.History, tune.MaxHistory)
	case f.Drift && f.History < 2:
		return errors.New("--drift: it takes a --history of 2 or more, to compare the newest window with")
	case f.Stretch < 0 || f.Stretch > patience.MaxStretch:
		return fmt.Errorf("--stretch: %d is not from 0 to %d", f.Stretch, patience.MaxStretch)
	}
	if f.Plot != "" {
		if err := chart.CheckPath(f.Plot); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	_, err := f.study()
	return err
}

// rowNames are the names under which the simulated policies are shown: srpt
// once for each kind of prediction.
func (f *compareFlags) rowNames() []string {
	var shown []string
	for _, name := range f.Policies {
		if name != "srpt" {
			shown = append(shown, name)
			continue
		}
		for _, p := range f.predictions {
			shown = append(shown, srptName(p))
		}
	}
	return shown
}

func srptName(p compare.Prediction) string {
	if p.Kind == compare.PredictExact {
		return "srpt"
	}
	return "srpt/" + p.String()
}

func (f *compareFlags) study() (*compare.Study, error) {
	p := compare.DefaultParams
	p.MinSliceNs, p.QuantumNs = f.MinSlice.Nanoseconds(), f.Quantum.Nanoseconds()
	p.Tune.RankBy = tune.RankBy(f.RankBy)
	p.Tune.History, p.Tune.Drift, p.Stretch, p.MaxWaitNs = f.History, f.Drift, f.Stretch, f.MaxWait.Nanoseconds()
	return compare.NewStudy(f.Policies, p)
}

func (f *compareFlags) run(ctx context.Context, tool cli.IO) error {
	study, err := f.study()
	if err != nil {
		return err
	}
	progress := tool.Progress(f.Quiet)
	defer progress.Clear()
	ins, shut, err := f.open(tool)
	if err != nil {
		return err
	}
	defer shut()
	timeline, err := study.Read(ins, compare.Reading{CPUs: f.cpus(), Progress: func(n int) {
		progress.Showf("%d invocations read", n)
	}})
	if err != nil {
		return err
	}
	skip := 0
	if study.Learns() {
		skip = 1
	}
	if f.Skip != nil {
		skip = *f.Skip
	}
	runs, err := f.simulate(ctx, tool, study, timeline, skip, progress)
	if err != nil {
		return err
	}
	progress.Clear()
	var rows []compare.Figures
	for _, r := range runs {
		rows = append(rows, compare.FiguresOf(r.Name, r.Outcomes)...)
	}
	if f.Plot != "" {
		if err := compare.Plot(f.Plot, timeline.CPUs, runs); err != nil {
			return err
		}
	}
	if f.Outcomes != "" {
		if err := compare.WriteOutcomes(f.Outcomes, runs); err != nil {
			return err
		}
	}
	return compare.WriteFigures(tool.Stdout, rows, f.Baseline)
}

// simulate runs all policies, and reads what was measured.
func (f *compareFlags) simulate(ctx context.Context, tool cli.IO, study *compare.Study, t *compare.Timeline, skip int, progress *cli.Progress) ([]compare.Run, error) {
	var runs []compare.Run
	config := sim.Config{CPUs: t.CPUs, SwitchCostNs: f.SwitchCost.Nanoseconds()}
	simulate := func(name string, p sim.Policy) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		progress.Showf("simulating %s", name)
		outcomes, err := t.Simulate(config, p, skip)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		runs = append(runs, compare.Run{Name: name, Outcomes: outcomes})
		return nil
	}
	for _, name := range f.Policies {
		if name == "srpt" {
			for _, p := range f.predictions {
				if err := simulate(srptName(p), p.SRPT(t.Jobs, f.MinSlice.Nanoseconds(), f.Seed)); err != nil {
					return nil, err
				}
			}
			continue
		}
		p, err := study.Policy(name)
		if err != nil {
			return nil, err
		}
		if err := simulate(name, p); err != nil {
			return nil, err
		}
	}
	for _, m := range f.measured {
		outcomes, err := readMeasured(tool, m.file)
		if err != nil {
			return nil, err
		}
		counted, err := t.Measured(outcomes, skip)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.file, err)
		}
		runs = append(runs, compare.Run{Name: m.name, Outcomes: counted})
	}
	return runs, nil
}

func readMeasured(tool cli.IO, file string) ([]workload.Outcome, error) {
	in, name, err := cli.Input(tool, file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return workload.ReadOutcomes(in, name)
}
