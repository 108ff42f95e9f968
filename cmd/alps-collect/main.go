// Alps-collect measures function invocations by eBPF and prints them as CSV,
// a window at a time. See docs/alps-collect.md.
package main

import (
	"context"
	"time"

	"alps/internal/cli"
	"alps/internal/collect"
	"alps/internal/stream"
)

type flags struct {
	Window       time.Duration `default:"60s" help:"How long a window lasts."`
	Count        int           `default:"0" help:"Stop after so many windows; 0: never."`
	Invocation   string        `default:"process" enum:"process,request,cgroup" help:"What one invocation is: a process, a request to a process that serves many, or the spell of a cgroup between frozen or empty and frozen or empty."`
	MinRequest   time.Duration `default:"100us" help:"With --invocation request: CPU time from which on a burst of a thread between two waits is a request."`
	MergeRequest time.Duration `default:"0s" help:"With --invocation request: bursts with a shorter wait between them are one request."`
	Class        string        `default:"auto" enum:"auto,cgroup,comm" help:"How the class of a process is found: by its cgroup, its name (comm), or auto: by its cgroup where that may be a function's, else by its name."`
	Under        string        `placeholder:"CGROUP" help:"Only processes in cgroups below this one. The class is then the path from there."`
	Comm         []string      `placeholder:"GLOB" sep:"none" help:"Only processes with such a name; may be given several times."`
	Strict       bool          `help:"Exit with 1 if anything was lost."`
	CPUs         string        `name:"cpus" placeholder:"N|LIST" help:"The CPUs that the functions share, a number or a list such as 2-5,8. Default: all that are online."`
}

func main() {
	var f flags
	cli.Main("alps-collect", &f, f.run, cli.Description(
		"Measure function invocations by eBPF and print them as CSV, a window at a time."))
}

func (f *flags) run(ctx context.Context, io cli.IO) error {
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
		Class:        collect.Class(f.Class),
		Filter:       collect.Filter{Under: f.Under, Comms: f.Comm},
		CPUs:         cpus,
		Strict:       f.Strict,
	}
	if err := options.Check(); err != nil {
		return cli.Usagef("%v", err)
	}
	return collect.Run(ctx, options, io.Stdout, io.Messages())
}
