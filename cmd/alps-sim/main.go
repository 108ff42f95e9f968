// Command alps-sim reads windows of function invocations and writes the turns
// on a CPU that SRPT would have given them. See docs/alps-sim.md.
package main

import (
	"context"
	"errors"
	"time"

	"alps/internal/cli"
	"alps/internal/sim"
	"alps/internal/stream"
)

type flags struct {
	CPUs     *int          `name:"cpus" placeholder:"N" help:"Simulate N CPUs (default: the column cpus)."`
	MinSlice time.Duration `name:"min-slice" default:"6ms" placeholder:"DURATION" help:"End a turn only after this long; 0s for at any time (default: ${default})."`
	AsSeen   bool          `name:"as-seen" help:"Take what a running invocation has used so far as all that it needs (default: what its class needs)."`
	File     string        `arg:"" optional:"" help:"Invocations to read (default: stdin)."`
}

// Validate is called by kong.
func (f *flags) Validate() error {
	if f.CPUs != nil && *f.CPUs < 1 {
		return errors.New("--cpus: at least 1 CPU is needed")
	}
	return nil
}

func (f *flags) run(_ context.Context, tool cli.IO) error {
	in, name, err := cli.Input(tool, f.File)
	if err != nil {
		return err
	}
	defer in.Close()
	options := sim.Options{Policy: sim.SRPT{MinSliceNs: f.MinSlice.Nanoseconds()}, AsSeen: f.AsSeen}
	if f.CPUs != nil {
		options.CPUs = *f.CPUs
	}
	return sim.Run(
		stream.NewReader[stream.Invocation](in, name, stream.WarnTo(tool.Messages())),
		stream.NewWriter[stream.Turn](tool.Stdout), tool.Messages(), options)
}

func main() {
	var f flags
	cli.Main("alps-sim", &f, f.run, cli.Filter(),
		cli.Description("Simulate SRPT over windows of invocations: invocations in, turns out."))
}
