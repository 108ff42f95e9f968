// Command alps-sim reads windows of function invocations and writes the turns
// on a CPU that SRPT would have given them. Its other commands compare
// scheduling policies over the same windows. See docs/alps-sim.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"alps/internal/cli"
	"alps/internal/compare"
	"alps/internal/sim"
	"alps/internal/stream"
)

// limitGarbage trades some time for memory, unless GOGC says else: what a window
// of millions takes is a few large slices without pointers, which cost the
// collector nothing, and garbage as much again is the worse half of the peak.
func limitGarbage() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(40)
	}
}

type flags struct {
	Turns    turnsFlags    `cmd:"" default:"withargs" help:"Write the turns that SRPT would have given (what is done without a command)."`
	Compare  compareFlags  `cmd:"" help:"Compare policies over the same windows: a table and a picture."`
	Mistakes mistakesFlags `cmd:"" help:"Tell what SRPT comes to with mistaken predictions."`
	Groups   groupsFlags   `cmd:"" help:"Put the classes into four groups by duration and tell how alike their SRPT slices are."`
	Generate generateFlags `cmd:"" help:"Make windows of a synthetic workload."`
}

func (f *flags) run(ctx context.Context, tool cli.IO) error {
	switch tool.Command {
	case "compare":
		return f.Compare.run(ctx, tool)
	case "mistakes":
		return f.Mistakes.run(ctx, tool)
	case "groups":
		return f.Groups.run(tool)
	case "generate":
		return f.Generate.run(tool)
	}
	return f.Turns.run(tool)
}

// machineFlags are the flags of what is simulated.
type machineFlags struct {
	CPUs       *int          `name:"cpus" placeholder:"N" help:"Simulate N CPUs (default: the column cpus)."`
	SwitchCost time.Duration `name:"switch-cost" default:"0s" placeholder:"DURATION" help:"What a CPU spends before it runs another invocation than before (default: ${default})."`
}

// Validate is called by kong.
func (f *machineFlags) Validate() error {
	if f.CPUs != nil && (*f.CPUs < 1 || *f.CPUs > sim.MaxCPUs) {
		return fmt.Errorf("--cpus: from 1 to %d can be simulated", sim.MaxCPUs)
	}
	return nil
}

// cpus is the number of CPUs; 0 for that of the column.
func (f *machineFlags) cpus() int {
	if f.CPUs == nil {
		return 0
	}
	return *f.CPUs
}

// predictFlags are the flags of mistaken predictions.
type predictFlags struct {
	Predict []string `default:"exact" placeholder:"KIND,…" help:"What SRPT is told of each invocation: exact, within:PCT (wrong by up to so much), random:PCT (so many are those of another invocation) or class-mean (default: ${default})."`
	Seed    uint64   `default:"1" placeholder:"N" help:"Seed of what is random in predictions (default: ${default})."`

	predictions []compare.Prediction
}

// Validate is called by kong.
func (f *predictFlags) Validate() error {
	f.predictions = nil
	for _, text := range f.Predict {
		p, err := compare.ParsePrediction(text)
		if err != nil {
			return fmt.Errorf("--predict: %w", err)
		}
		if slices.Contains(f.predictions, p) {
			return fmt.Errorf("--predict: %s is there twice", p)
		}
		f.predictions = append(f.predictions, p)
	}
	return nil
}

type turnsFlags struct {
	machineFlags `embed:""`
	predictFlags `embed:""`
	MinSlice     time.Duration `name:"min-slice" default:"6ms" placeholder:"DURATION" help:"End a turn only after this long; 0s for at any time (default: ${default})."`
	AsSeen       bool          `name:"as-seen" help:"Take what a running invocation has used so far as all that it needs (default: what its class needs)."`
	File         string        `arg:"" optional:"" help:"Invocations to read (default: stdin)."`
}

// Validate is called by kong.
func (f *turnsFlags) Validate() error {
	if err := errors.Join(f.machineFlags.Validate(), f.predictFlags.Validate()); err != nil {
		return err
	}
	if len(f.predictions) > 1 {
		return errors.New("--predict: turns are of one kind of prediction; alps-sim compare takes several")
	}
	return nil
}

func (f *turnsFlags) run(tool cli.IO) error {
	in, name, err := cli.Input(tool, f.File)
	if err != nil {
		return err
	}
	defer in.Close()
	minSliceNs := f.MinSlice.Nanoseconds()
	return sim.Run(
		stream.NewReader[stream.Invocation](in, name, stream.WarnTo(tool.Messages())),
		stream.NewWriter[stream.Turn](tool.Stdout), tool.Messages(), sim.Options{
			CPUs: f.cpus(), SwitchCostNs: f.SwitchCost.Nanoseconds(), AsSeen: f.AsSeen,
			Policy: func(jobs []sim.Job) sim.Policy {
				return f.predictions[0].SRPT(jobs, minSliceNs, f.Seed)
			},
		})
}

func main() {
	limitGarbage()
	var f flags
	cli.Main("alps-sim", &f, f.run, cli.Filter(),
		cli.Description("Simulate SRPT over windows of invocations: invocations in, turns out. Or compare scheduling policies over them."))
}
