// Command alps-load puts scheduling policies in force: it reads a policy
// stream, attaches and pins the sched_ext scheduler where it is not yet
// running, and switches it to each window's policy in one step. The scheduler
// stays in charge when the tool has ended, until alps-load unload.
package main

import (
	"context"
	"fmt"
	"time"

	"alps/internal/cli"
	"alps/internal/load"
	"alps/internal/patience"
)

type flags struct {
	Pins string `name:"pins" default:"/sys/fs/bpf/alps" placeholder:"DIR" help:"Where the scheduler is pinned, on a BPF file system."`

	Load struct {
		DryRun    bool          `name:"dry-run" help:"Check the policy and print it; touch nothing and need no privilege."`
		MaxWait   time.Duration `name:"max-wait" placeholder:"DURATION" default:"1s" help:"Serve a function out of turn before it has waited longer (counts when the scheduler is attached)."`
		MaxAge    time.Duration `name:"max-age" placeholder:"DURATION" default:"0s" help:"Serve all fairly, as without a policy, when the policy is older; 0s: never."`
		Stretch   int           `name:"stretch" placeholder:"N" default:"4" help:"Let better ranks that came later pass a function by until it has taken N times (on C CPUs 1 + (N - 1) / C² times) as long as if all shared the CPUs evenly; 0: always."`
		Functions string        `name:"functions" placeholder:"CGROUP" help:"Below which cgroup tasks that the policy does not know are functions all the same (default: the common parent of the policy's cgroups); none: nowhere."`
		Paper     bool          `name:"paper" help:"Schedule by the rules of the paper, for comparison: no function preempts another, ranks are strict, and only the first row of a class counts."`
		File      string        `arg:"" optional:"" help:"Policy to load; stdin unless given."`
	} `cmd:"" default:"withargs" help:"Put a policy in force (what is done without a command)."`
	Unload struct{} `cmd:"" help:"Detach the scheduler and remove its pins."`
	Status struct {
		CSV bool `name:"csv" help:"Print a header and a row of CSV, with the same columns in every state."`
	} `cmd:"" help:"Tell what is in force; exit 1 if the scheduler is not."`
	Watch struct {
		Interval time.Duration `name:"interval" placeholder:"DURATION" default:"1s" help:"Time from one set of rows to the next."`
		Count    int           `name:"count" placeholder:"N" default:"0" help:"End after so many intervals; 0: never."`
	} `cmd:"" help:"Print what each class is given in each interval as CSV."`
	Dump struct{} `cmd:"" help:"Print the policy in force as CSV."`
}

// Validate is called by kong.
func (f *flags) Validate() error {
	if f.Load.Stretch < 0 || f.Load.Stretch > patience.MaxStretch {
		return fmt.Errorf("stretch %d is not from 0 to %d", f.Load.Stretch, patience.MaxStretch)
	}
	if f.Load.MaxAge < 0 {
		return fmt.Errorf("max-age %v is negative", f.Load.MaxAge)
	}
	if f.Watch.Interval < load.MinInterval {
		return fmt.Errorf("interval %v is under %v", f.Watch.Interval, load.MinInterval)
	}
	if f.Watch.Count < 0 {
		return fmt.Errorf("count %d is negative", f.Watch.Count)
	}
	return load.CheckFunctions(f.Load.Functions)
}

func main() {
	var f flags
	cli.Main("alps-load", &f, f.run, description, cli.Filter())
}

var description = cli.Description("Put scheduling policies in force with sched_ext. Reads the policy stream of alps-tune.")

func (f *flags) run(ctx context.Context, io cli.IO) error {
	o := load.Options{Pins: f.Pins, MaxWait: f.Load.MaxWait, Stretch: f.Load.Stretch, MaxAge: f.Load.MaxAge,
		Functions: f.Load.Functions, Paper: f.Load.Paper}
	switch io.Command {
	case "unload":
		return o.RunUnload(io)
	case "status":
		return o.RunStatus(io, f.Status.CSV)
	case "watch":
		return o.RunWatch(ctx, io, f.Watch.Interval, f.Watch.Count)
	case "dump":
		return o.RunDump(io)
	}
	return o.RunLoad(io, f.Load.File, f.Load.DryRun)
}
