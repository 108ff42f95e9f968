// Alps-collect measures function invocations by eBPF and prints them as CSV,
// a window at a time. Its command import makes the same of published traces, explain
// tells how rules find the class of a process, and rules prints those that are
// shipped. See docs/alps-collect.md.
package main

import (
	"context"
	"time"

	"alps/internal/cli"
	"alps/internal/collect"
	"alps/internal/stream"
)

type flags struct {
	Collect collectFlags `cmd:"" default:"withargs" help:"Measure what runs here (what is done without a command)."`
	Import  importFlags  `cmd:"" help:"Make invocations of a published trace, without eBPF or privilege."`
	Explain explainFlags `cmd:"" help:"Tell which rule gives the class and the key of a process, and why; needs no eBPF."`
	Rules   rulesFlags   `cmd:"" help:"Print the rules that are shipped, to be saved and edited."`
}

func (f *flags) run(ctx context.Context, io cli.IO) error {
	switch io.Command {
	case "import":
		return f.Import.run(ctx, io)
	case "explain":
		return f.Explain.run(io)
	case "rules":
		return f.Rules.run(io)
	}
	return f.Collect.run(ctx, io)
}

type collectFlags struct {
	Window       time.Duration `default:"60s" help:"How long a window lasts."`
	Count        int           `default:"0" help:"Stop after so many windows; 0: never."`
	Invocation   string        `default:"process" enum:"process,request,cgroup" help:"What one invocation is: a process, a request to a process that serves many, or the spell of a cgroup between frozen or empty and frozen or empty."`
	MinRequest   time.Duration `default:"100us" help:"With --invocation request: CPU time from which on a burst of a thread between two waits is a request."`
	MergeRequest time.Duration `default:"0s" help:"With --invocation request: bursts with a shorter wait between them are one request."`
	Class        *string       `enum:"auto,cgroup,comm" xor:"class" help:"How the class of a process is found: by its cgroup, its name (comm), or auto: by its cgroup where that may be a function's, else by its name. Default: auto."`
	Rules        *string       `placeholder:"FILE" xor:"class" help:"Find the class by the rules in a CSV file (- is stdin), or with default by those that the command rules prints."`
	Under        string        `placeholder:"CGROUP" help:"Only processes in cgroups below this one. The class, unless by rules, is then the path from there."`
	Comm         []string      `placeholder:"GLOB" sep:"none" help:"Only processes with such a name; may be given several times."`
	Strict       bool          `help:"Exit with 1 if anything was lost."`
	CPUs         string        `name:"cpus" placeholder:"N|LIST" help:"The CPUs that the functions share, a number or a list such as 2-5,8. Default: all that are online."`
}

func main() {
	var f flags
	cli.Main("alps-collect", &f, f.run, cli.Description(
		"Measure function invocations by eBPF and print them as CSV, a window at a time; alps-collect collect --help lists the flags. Or import published traces."))
}

func (f *collectFlags) run(ctx context.Context, io cli.IO) error {
	cpus, err := collect.ParseCPUs(f.CPUs)
	if err != nil {
		return cli.Usagef("--cpus: %v", err)
	}
	options := collect.Options{
		Window:       f.Window,
		Count:        f.Count,
		MinRequest:   f.MinRequest,
		MergeRequest: f.MergeRequest,
		Invocation:   stream.Kind(f.Invocation),
		Filter:       collect.Filter{Under: f.Under, Comms: f.Comm},
		CPUs:         cpus,
		Strict:       f.Strict,
	}
	if f.Class != nil {
		options.Class = collect.Class(*f.Class)
	}
	if err := options.Check(); err != nil {
		return cli.Usagef("%v", err)
	}
	if f.Rules != nil {
		if options.Rules, err = readRules(io, *f.Rules); err != nil {
			return err
		}
	}
	return collect.Run(ctx, options, io.Stdout, io.Messages())
}
