package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"alps/internal/chart"
	"alps/internal/cli"
	"alps/internal/evaluate"
	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/tune"
)

type evaluateFlags struct {
	Predictors []string `placeholder:"NAME,…" help:"Predictors to judge (default: all)."`
	Policy     string   `enum:"alps,alps-paper" default:"alps" placeholder:"NAME" help:"What is simulated with their slices: alps, or alps-paper, in which nobody is preempted within his slice (default: ${default})."`
	Skip       int      `default:"1" placeholder:"N" help:"The first N windows only teach, 1 or more (default: ${default})."`
	CPUs       *int     `name:"cpus" placeholder:"N" help:"Simulate N CPUs (default: the column cpus)."`
	Plot       string   `placeholder:"FILE" help:"Draw the errors and turnarounds of all classes together into an SVG or PNG file."`
	Quiet      bool     `short:"q" help:"Show no progress."`
	Files      []string `arg:"" optional:"" name:"file" help:"Turns to read, oldest windows first (default: stdin)."`
}

// Validate is called by kong.
func (f *evaluateFlags) Validate() error {
	if f.Skip < 1 {
		return errors.New("--skip: at least 1 window has to teach")
	}
	if f.CPUs != nil && (*f.CPUs < 1 || *f.CPUs > sim.MaxCPUs) {
		return fmt.Errorf("--cpus: from 1 to %d can be simulated", sim.MaxCPUs)
	}
	if f.Plot != "" {
		if err := chart.CheckPath(f.Plot); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	_, err := f.predictors(tune.DefaultQuantile, 0)
	return err
}

func (f *evaluateFlags) predictors(quantile float64, seed uint64) ([]evaluate.Predictor, error) {
	names := f.Predictors
	if len(names) == 0 {
		names = tune.PredictorNames()
	}
	var predictors []evaluate.Predictor
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("--predictors: %s is there twice", name)
		}
		p, err := tune.PredictorNamed(name, quantile, seed)
		if err != nil {
			return nil, fmt.Errorf("--predictors: %w", err)
		}
		predictors = append(predictors, evaluate.Predictor{Name: name, Predictor: p})
	}
	return predictors, nil
}

// run takes what both commands take from all.
func (f *evaluateFlags) run(ctx context.Context, tool cli.IO, all *flags) error {
	predictors, err := f.predictors(all.Quantile, all.Seed)
	if err != nil {
		return err
	}
	ins, shut, err := f.open(tool, all.options)
	if err != nil {
		return err
	}
	defer shut()
	progress := tool.Progress(f.Quiet)
	defer progress.Clear()
	options := evaluate.Options{
		Predictors: predictors, Tune: all.options, Policy: f.Policy, Skip: f.Skip, Messages: tool.Messages(), Progress: progress.Showf,
	}
	if f.CPUs != nil {
		options.CPUs = *f.CPUs
	}
	result, err := evaluate.Run(ctx, ins, options)
	if err != nil {
		return err
	}
	progress.Clear()
	if f.Plot != "" {
		if err := result.Plot(f.Plot); err != nil {
			return err
		}
	}
	return result.Write(tool.Stdout)
}

// open opens the streams. The function closes them.
func (f *evaluateFlags) open(tool cli.IO, o tune.Options) (readers []*stream.Reader[stream.Turn], shut func(), err error) {
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
		readers = append(readers, turnsReader(in, name, tool, o))
	}
	return readers, shut, nil
}
