package main

import (
	"io"

	"alps/internal/cli"
	"alps/internal/rules"
)

type explainFlags struct {
	Rules string `default:"default" placeholder:"FILE" help:"The rules in a CSV file (default: those that the command rules prints)."`
	PID   int    `arg:"" name:"pid" help:"The process."`
}

func (f *explainFlags) run(tool cli.IO) error {
	if f.PID <= 0 {
		return cli.Usagef("%d is no process: want a number of 1 or more", f.PID)
	}
	set, err := readRules(tool, f.Rules)
	if err != nil {
		return err
	}
	return rules.Explain(tool.Stdout, set, rules.NewHost("/"), f.PID)
}

type rulesFlags struct{}

func (f *rulesFlags) run(tool cli.IO) error {
	_, err := io.WriteString(tool.Stdout, rules.DefaultFile)
	return err
}

// readRules reads a file of rules, or takes those that are shipped.
func readRules(tool cli.IO, file string) (*rules.Set, error) {
	if file == "" {
		return nil, cli.Usagef("--rules: the name of the file is empty")
	}
	if file == rules.DefaultName {
		return rules.Default(), nil
	}
	in, name, err := cli.Input(tool, file)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return rules.Parse(in, name)
}
