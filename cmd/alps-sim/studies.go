package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"alps/internal/chart"
	"alps/internal/cli"
	"alps/internal/compare"
	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/workload"
)

// timeline reads all windows as one run.
func (f *inputFlags) timeline(tool cli.IO, cpus int) (*compare.Timeline, error) {
	ins, shut, err := f.open(tool)
	if err != nil {
		return nil, err
	}
	defer shut()
	progress := tool.Progress(f.Quiet)
	defer progress.Clear()
	return compare.Read(ins, compare.Reading{CPUs: cpus, Progress: func(n int) { progress.Showf("%d invocations read", n) }})
}

type mistakesFlags struct {
	machineFlags `embed:""`
	inputFlags   `embed:""`
	Seeds        int    `default:"3" placeholder:"N" help:"Draw the predictions so many times, 1 to 1000 (default: ${default})."`
	Plot         string `placeholder:"FILE" help:"Draw the result into an SVG or PNG file."`
}

// Validate is called by kong.
func (f *mistakesFlags) Validate() error {
	if f.Seeds < 1 || f.Seeds > 1000 {
		return errors.New("--seeds: from 1 to 1000")
	}
	if f.Plot != "" {
		if err := chart.CheckPath(f.Plot); err != nil {
			return fmt.Errorf("--plot: %w", err)
		}
	}
	return f.machineFlags.Validate()
}

func (f *mistakesFlags) run(ctx context.Context, tool cli.IO) error {
	t, err := f.timeline(tool, f.cpus())
	if err != nil {
		return err
	}
	progress := tool.Progress(f.Quiet)
	defer progress.Clear()
	config := sim.Config{CPUs: t.CPUs, SwitchCostNs: f.SwitchCost.Nanoseconds()}
	mistakes, err := t.Mistakes(ctx, config, f.Seeds, func(done, of int) { progress.Showf("%d of %d kinds of predictions", done, of) })
	if err != nil {
		return err
	}
	progress.Clear()
	if f.Plot != "" {
		if err := compare.PlotMistakes(f.Plot, mistakes); err != nil {
			return err
		}
	}
	return compare.WriteMistakes(tool.Stdout, mistakes)
}

type groupsFlags struct {
	machineFlags `embed:""`
	inputFlags   `embed:""`
	MinSlice     time.Duration   `name:"min-slice" default:"6ms" placeholder:"DURATION" help:"SRPT's minimum slice (default: ${default})."`
	Bounds       []time.Duration `placeholder:"D,D,D" help:"Longest mean CPU times of the first three groups (default: a quarter of the classes each)."`
}

func (f *groupsFlags) run(tool cli.IO) error {
	t, err := f.timeline(tool, f.cpus())
	if err != nil {
		return err
	}
	groups, err := t.Groups(sim.Config{CPUs: t.CPUs, SwitchCostNs: f.SwitchCost.Nanoseconds()}, f.MinSlice.Nanoseconds(), f.Bounds)
	if err != nil {
		return err
	}
	return compare.WriteGroups(tool.Stdout, groups)
}

type generateFlags struct {
	workload.GenerateFlags `embed:""`
	workload.WindowFlags   `embed:""`
}

func (f *generateFlags) run(tool cli.IO) error {
	synthetic, err := f.Synthetic()
	if err != nil {
		return cli.Usagef("%v", err)
	}
	trace, err := workload.Generate(synthetic)
	if err != nil {
		return err
	}
	return workload.WriteWindows(stream.NewWriter[stream.Invocation](tool.Stdout), trace, f.Options(f.GenerateFlags.CPUs))
}
