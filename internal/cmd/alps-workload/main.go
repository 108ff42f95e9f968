// Command alps-workload makes traces for the workload runner, and invocations of
// them for alps-sim; it builds the runner and reads what it printed. It is a
// helper of this project's tests and demo, not one of its tools; the package it
// is around is alps/internal/workload.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"alps/internal/cli"
	"alps/internal/compare"
	"alps/internal/stream"
	"alps/internal/workload"
)

const description = "Make traces for the workload runner or for alps-sim, build the runner, and read what it printed."

func main() {
	var flags commands
	cli.Main("alps-workload", &flags, flags.run, cli.Description(description))
}

type commands struct {
	Generate    generateFlags    `cmd:"" help:"Make a synthetic trace from published figures."`
	Trace       traceFlags       `cmd:"" help:"Make a trace of a published one."`
	Replay      replayFlags      `cmd:"" help:"Make a trace of recorded invocations."`
	Windows     windowsFlags     `cmd:"" help:"Make the invocations stream of a trace, as on a machine where nobody waits."`
	Deployments deploymentsFlags `cmd:"" help:"Print what each port of a published trace serves."`
	Build       buildFlags       `cmd:"" help:"Compile the runner and print its path."`
	Summary     resultFlag       `cmd:"" help:"Print the figures of the runner's results, by class and in all."`
	Invocations invocationsFlags `cmd:"" help:"Make the invocations stream of the runner's results."`
}

func (c *commands) run(ctx context.Context, io cli.IO) error {
	command, _, _ := strings.Cut(io.Command, " ")
	switch command {
	case "generate":
		return c.Generate.run(io)
	case "trace":
		return c.Trace.run(io)
	case "replay":
		return c.Replay.run(io)
	case "windows":
		return c.Windows.run(io)
	case "deployments":
		return c.Deployments.run(io)
	case "build":
		return c.Build.run(ctx, io)
	case "summary":
		return c.Summary.run(io)
	case "invocations":
		return c.Invocations.run(io)
	}
	return cli.Usagef("unknown command %q", io.Command)
}

type generateFlags struct {
	workload.GenerateFlags `embed:""`
}

func (f *generateFlags) run(io cli.IO) error {
	synthetic, err := f.Synthetic()
	if err != nil {
		return cli.Usagef("%v", err)
	}
	trace, err := workload.Generate(synthetic)
	if err != nil {
		return err
	}
	return trace.Write(io.Stdout)
}

type publishedFlags struct {
	Format string `help:"Format of the file: that of ALPS's artifact or of SFS's." enum:"alps,sfs" default:"alps"`
	File   string `arg:"" help:"Published trace; - is stdin."`
}

func (f *publishedFlags) read(io cli.IO) ([]workload.Published, error) {
	in, name, err := cli.Input(io, f.File)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return workload.ReadPublished(in, name, workload.Format(f.Format))
}

type traceFlags struct {
	publishedFlags     `embed:""`
	Demands            string `help:"CSV of the CPU demands: function,argument,cpu_ms." required:"" placeholder:"FILE"`
	ClassBy            string `help:"What makes a class: function and argument, or port." enum:"argument,port" default:"argument"`
	Sample             string `help:"Take a random part of the requests, such as 1/24." default:"1/1"`
	Limit              int    `help:"Take so many requests of the sample, the first; 0 takes all." default:"0"`
	workload.LoadFlags `embed:""`
}

func (f *traceFlags) run(io cli.IO) error {
	sampleOf, err := workload.ParseSample(f.Sample)
	if err != nil {
		return cli.Usagef("%v", err)
	}
	requests, err := f.read(io)
	if err != nil {
		return err
	}
	in, err := os.Open(f.Demands)
	if err != nil {
		return err
	}
	defer in.Close()
	demands, err := workload.ReadDemands(in, f.Demands)
	if err != nil {
		return err
	}
	trace, err := workload.FromPublished(requests, workload.Replay{
		Demands: demands, ClassBy: workload.ClassBy(f.ClassBy), SampleOf: sampleOf, Limit: f.Limit,
		Load: f.Load(), Seed: f.Seed,
	})
	if err != nil {
		return err
	}
	return trace.Write(io.Stdout)
}

type replayFlags struct {
	Utilisation float64 `help:"CPU demand, in % of what the CPUs have; the gaps are scaled to it (default: arrivals as recorded)." placeholder:"PCT"`
	CPUs        int     `name:"cpus" help:"CPUs that the workload has, for --utilisation (default: as in the column cpus)." placeholder:"N"`
	Sample      string  `help:"Take a random part of the invocations, such as 1/24." default:"1/1"`
	Limit       int     `help:"Take so many invocations of the sample, the first; 0 takes all." default:"0"`
	Seed        uint64  `help:"Another seed takes another sample." default:"1"`
	File        string  `arg:"" optional:"" help:"Invocations, as alps-collect writes them; - is stdin."`
}

// Validate is called by kong.
func (f *replayFlags) Validate() error {
	if f.CPUs < 0 {
		return fmt.Errorf("--cpus: %d CPUs are too few", f.CPUs)
	}
	return nil
}

func (f *replayFlags) run(tool cli.IO) error {
	sampleOf, err := workload.ParseSample(f.Sample)
	if err != nil {
		return cli.Usagef("%v", err)
	}
	in, name, err := cli.Input(tool, f.File)
	if err != nil {
		return err
	}
	defer in.Close()
	reader := stream.NewReader[stream.Invocation](in, name, stream.WarnTo(tool.Messages()))
	var recording compare.Recording
	timeline, err := compare.Read([]*stream.Reader[stream.Invocation]{reader}, compare.Reading{CPUs: f.CPUs}, &recording)
	if err != nil {
		return err
	}
	trace, changes, err := workload.FromRecorded(recording.Invocations(), workload.RecordedOptions{
		BeginNs: timeline.Windows[0].BeginNs, SampleOf: sampleOf, Limit: f.Limit,
		UtilisationPct: f.Utilisation, CPUs: timeline.CPUs, Seed: f.Seed,
	})
	if err != nil {
		return err
	}
	tellChanges(tool.Messages(), changes)
	return trace.Write(tool.Stdout)
}

func tellChanges(w io.Writer, changes workload.Changes) {
	for _, c := range changes.Renamed {
		fmt.Fprintf(w, "class %q is called %s: names are letters, digits, _, - and .\n", c.From, c.To)
	}
	for _, c := range []struct {
		n    int
		what string
	}{
		{changes.Idle, "left out, as without CPU time"},
		{changes.Running, "still running at the end, and taken to need no more than they had used"},
		{changes.Early, "there before the first window, and taken to arrive as it begins"},
	} {
		if c.n > 0 {
			fmt.Fprintf(w, "invocations %s: %d\n", c.what, c.n)
		}
	}
}

type windowsFlags struct {
	CPUs                 int `name:"cpus" help:"CPUs that the functions share." default:"1"`
	workload.WindowFlags `embed:""`
	File                 string `arg:"" optional:"" help:"Trace, as generate and trace make it; - is stdin."`
}

func (f *windowsFlags) run(io cli.IO) error {
	in, name, err := cli.Input(io, f.File)
	if err != nil {
		return err
	}
	defer in.Close()
	trace, err := workload.ReadTrace(in, name)
	if err != nil {
		return err
	}
	return workload.WriteWindows(stream.NewWriter[stream.Invocation](io.Stdout), trace, f.Options(f.CPUs))
}

type deploymentsFlags struct {
	publishedFlags `embed:""`
}

func (f *deploymentsFlags) run(io cli.IO) error {
	requests, err := f.read(io)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(io.Stdout, "port,function,argument,requests"); err != nil {
		return err
	}
	for _, d := range workload.Deployments(requests) {
		if _, err := fmt.Fprintf(io.Stdout, "%s,%s,%s,%d\n", d.Port, d.Function, d.Argument, d.Requests); err != nil {
			return err
		}
	}
	return nil
}

type buildFlags struct {
	Dir string `arg:"" help:"Directory to put the runner into; it is made if missing."`
}

func (f *buildFlags) run(ctx context.Context, io cli.IO) error {
	if err := os.MkdirAll(f.Dir, 0o755); err != nil {
		return err
	}
	path, err := workload.BuildRunner(ctx, f.Dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.Stdout, path)
	return err
}

type resultFlag struct {
	File string `arg:"" optional:"" help:"What the runner printed; - is stdin."`
}

func (f *resultFlag) read(io cli.IO) ([]workload.Outcome, error) {
	in, name, err := cli.Input(io, f.File)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return workload.ReadOutcomes(in, name)
}

func (f *resultFlag) run(io cli.IO) error {
	outcomes, err := f.read(io)
	if err != nil {
		return err
	}
	return workload.WriteSummary(io.Stdout, workload.Summarize(outcomes))
}

type invocationsFlags struct {
	resultFlag `embed:""`
	CPUs       int    `name:"cpus" help:"CPUs that the workload had." default:"1"`
	KeyPrefix  string `help:"What goes before the class in the keys, such as cgroup:/fn/; none leaves them empty."`
}

func (f *invocationsFlags) run(io cli.IO) error {
	outcomes, err := f.read(io)
	if err != nil {
		return err
	}
	rows, err := workload.Invocations(outcomes, f.CPUs, f.KeyPrefix)
	if err != nil {
		return err
	}
	out := stream.NewWriter[stream.Invocation](io.Stdout)
	if len(rows) > 0 {
		// One window; its number only has to be one.
		if err := out.Write(1, rows); err != nil {
			return err
		}
	}
	return out.Close()
}
