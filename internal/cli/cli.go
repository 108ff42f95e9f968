// Package cli is what the mains of the tools have in common: flags by kong,
// exit codes, signals, and where messages go.
//
// A tool exits with 0 when it is done, 1 when it failed and 2 when it was
// called wrongly; it prints errors as "name: message" on stderr. A reader of
// its output that goes away (| head) ends it quietly with 0.
//
//	func main() {
//		var flags struct {
//			File string `arg:"" optional:"" help:"Turns to read; - is stdin."`
//		}
//		cli.Main("alps-tune", &flags, func(ctx context.Context, io cli.IO) error {
//			in, name, err := cli.Input(io, flags.File)
//			if err != nil {
//				return err
//			}
//			defer in.Close()
//			return tune.Run(stream.NewReader[stream.Turn](in, name, stream.WarnTo(io.Messages())), io.Stdout)
//		})
//	}
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"
)

// Exit codes of the tools.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2
)

// IO is what a tool reads, writes and is called.
type IO struct {
	// Name is the tool's name, which goes before its messages.
	Name string
	// Command is the subcommand that was chosen, such as "unload"; empty
	// in tools without subcommands.
	Command string

	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// RunFunc is what a tool does once its flags are known.
type RunFunc func(ctx context.Context, io IO) error

// Option is a choice of how a tool is run.
type Option func(*options)

type options struct {
	description string
	filter      bool
}

// Description sets what --help says of the tool.
func Description(text string) Option {
	return func(o *options) { o.description = text }
}

// Filter says that the tool only turns its input into output and never looks
// at its context. SIGTERM then ends it at once, as it does any filter; SIGINT,
// which a terminal sends to the whole pipe, lets it end with its input.
func Filter() Option {
	return func(o *options) { o.filter = true }
}

// Main parses the command line into cmd, a pointer to a struct with kong's
// tags, calls run, and exits. SIGINT and SIGTERM cancel run's context, and
// the second of them kills.
func Main(name string, cmd any, run RunFunc, opts ...Option) {
	ctx, stop := withSignals(context.Background(), apply(opts).filter)
	standard := IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	code := Run(ctx, name, os.Args[1:], standard, cmd, run, opts...)
	stop()
	os.Exit(code)
}

// Run does what [Main] does, save for the signals, and returns the exit code.
// The names in the given IO are not used.
func Run(ctx context.Context, name string, args []string, io IO, cmd any, run RunFunc, opts ...Option) int {
	stdout := &watchedWriter{w: io.Stdout}
	io.Name, io.Stdout = name, stdout
	err := parseAndRun(ctx, args, io, cmd, run, apply(opts))
	var usage *usageError
	var exit exitCode
	switch {
	case err == nil, stdout.gone && isGone(err):
		return ExitDone
	case errors.As(err, &exit):
		return int(exit)
	case errors.As(err, &usage):
		fmt.Fprintf(io.Stderr, "%s: %v\n%s --help lists what it takes\n", name, err, name)
		return ExitUsage
	}
	fmt.Fprintf(io.Messages(), "%v\n", err)
	return ExitFailed
}

func apply(opts []Option) options {
	var o options
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

func parseAndRun(ctx context.Context, args []string, io IO, cmd any, run RunFunc, o options) error {
	parsed, err := parse(args, io, cmd, o)
	if err != nil {
		return err
	}
	io.Command = command(parsed)
	return run(ctx, io)
}

// command is the chosen subcommand without its arguments.
func command(parsed *kong.Context) string {
	selected := parsed.Selected()
	if selected == nil {
		return ""
	}
	return selected.Name
}

// usageError is a command line that the tool does not take.
type usageError struct{ msg string }

func (e *usageError) Error() string { return e.msg }

// Usagef returns an error that makes the tool exit with 2: for arguments that
// only run can judge.
func Usagef(format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...)}
}
