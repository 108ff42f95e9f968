package main

import (
	"context"
	"io"
	"time"

	"alps/internal/cli"
	"alps/internal/imports"
	"alps/internal/workload"
)

type importFlags struct {
	Format      string        `required:"" enum:"azure2019,azure2021,huawei2023,huawei2025,alps,sfs" placeholder:"NAME" help:"What the files are: ${enum}."`
	Window      time.Duration `default:"60s" placeholder:"DURATION" help:"How long a window lasts, in the time of the trace, 1ms or more (default: ${default})."`
	CPUs        int           `name:"cpus" default:"1" placeholder:"N" help:"CPUs that the functions share (default: ${default})."`
	Utilisation *float64      `placeholder:"PCT" help:"Scale all gaps between arrivals by one factor, so that the CPU time is this much of what the CPUs have, up to 1000 (default: arrivals as published)."`
	Sample      string        `default:"1/1" placeholder:"1/N" help:"Take a random part of the requests, such as 1/24 (default: ${default})."`
	Demands     string        `placeholder:"FILE" help:"CSV of mean CPU times, function,argument,cpu_ms. alps and sfs take it; of the others, function is the class and argument is empty."`
	Sigma       float64       `default:"0.15" placeholder:"X" help:"Coefficient of variation of the CPU times about those means, 0 to 10 (default: ${default})."`
	ClassBy     string        `name:"class-by" enum:"argument,port" default:"argument" placeholder:"WHAT" help:"What makes a class of alps and sfs: argument (function and argument) or port (alps only) (default: ${default})."`
	DelayUnit   string        `name:"delay-unit" enum:"ms,s" default:"ms" placeholder:"UNIT" help:"Unit of the function delays of huawei2023, ms or s (default: ${default})."`
	KeyPrefix   string        `name:"key-prefix" placeholder:"TEXT" help:"What goes before the class in the keys, such as comm: (default: keys are empty)."`
	SkipBad     bool          `name:"skip-bad" help:"Leave out rows that do not fit, and say which, instead of ending at the first. Not of alps and sfs."`
	Seed        uint64        `default:"1" placeholder:"N" help:"Another seed makes another sample, and other draws (default: ${default})."`
	Files       []string      `arg:"" name:"file" help:"The trace, in the order of time; - is stdin."`
}

func (f *importFlags) run(ctx context.Context, tool cli.IO) error {
	sampleOf, err := workload.ParseSample(f.Sample)
	if err != nil {
		return cli.Usagef("%v", err)
	}
	options := imports.Options{
		Format: imports.Format(f.Format),
		Files:  f.Files,
		Open: func(file string) (io.ReadCloser, string, error) {
			return cli.Input(tool, file)
		},
		Windows:   workload.WindowOptions{Length: f.Window, CPUs: f.CPUs, KeyPrefix: f.KeyPrefix},
		SampleOf:  sampleOf,
		Demands:   f.Demands,
		Sigma:     f.Sigma,
		ClassBy:   workload.ClassBy(f.ClassBy),
		DelayUnit: map[string]time.Duration{"ms": time.Millisecond, "s": time.Second}[f.DelayUnit],
		Seed:      f.Seed,
		SkipBad:   f.SkipBad,
		Messages:  tool.Messages(),
	}
	if f.Utilisation != nil {
		options.UtilisationPct = *f.Utilisation
		if options.UtilisationPct == 0 {
			return cli.Usagef("--utilisation: it is over 0")
		}
	}
	if err := options.Check(); err != nil {
		return cli.Usagef("%v", err)
	}
	return imports.Run(ctx, options, tool.Stdout)
}
