// Command alps-demo is what make demo runs; see internal/demo.
package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"alps/internal/cli"
	"alps/internal/demo"
)

type flags struct {
	Bin     string        `default:"bin" placeholder:"DIR" help:"Where the four tools are, built with CGO_ENABLED=0 (default: ${default})."`
	Out     string        `default:"out" placeholder:"DIR" help:"Where the results go (default: ${default})."`
	Kernel  string        `default:"newest" help:"Kernel, as alps-vm takes it (default: ${default})."`
	CPUs    int           `name:"cpus" default:"1" help:"CPUs of the machine (default: ${default})."`
	Seed    uint64        `default:"1" help:"Another workload of the same kind (default: ${default})."`
	Window  time.Duration `default:"60s" help:"Window of alps-collect (default: ${default})."`
	History int           `default:"4" help:"Windows that alps-tune learns from (default: ${default})."`
	Trace   string        `placeholder:"FILE" help:"Trace to run instead of a synthetic workload."`
	Offline bool          `help:"Do without the virtual machine: learn from recorded windows."`
	Windows string        `default:"testdata/windows/invocations.csv" placeholder:"FILE" help:"The recorded windows (default: ${default})."`
}

func (f *flags) run(ctx context.Context, tool cli.IO) error {
	o := demo.Options{
		Bin: f.Bin, Out: f.Out, History: f.History,
		Kernel: f.Kernel, CPUs: f.CPUs, Seed: f.Seed, Window: f.Window, Trace: f.Trace,
		Offline: f.Offline, Windows: f.Windows,
	}
	result, err := o.Run(ctx, tool.Stderr)
	if err != nil {
		return err
	}
	picture := filepath.Join(f.Out, "turnaround.svg")
	if err := result.Plot(picture); err != nil {
		return err
	}
	fmt.Fprintf(tool.Stderr, "done; the picture is %s, all streams are beside it\n\n", picture)
	return result.Write(tool.Stdout)
}

func main() {
	var f flags
	cli.Main("alps-demo", &f, f.run, cli.Description("Show the whole loop in a virtual machine, before and after."))
}
