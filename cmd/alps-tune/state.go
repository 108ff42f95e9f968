package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"alps/internal/cli"
	"alps/internal/statefile"
	"alps/internal/stream"
	"alps/internal/tune"
)

// checkState tells whether --state and the flags beside it go together.
func (f *policyFlags) checkState() error {
	switch {
	case f.State == nil:
		return nil
	case *f.State == "":
		return errors.New("--state: the name of the file is empty")
	case *f.State == "-":
		return errors.New("--state: it is read and replaced, and needs a file")
	case f.Prev != nil:
		return errors.New("--state and --prev: the state has the last policy already; leave one of them out")
	}
	return nil
}

// takeState makes the tuner go on from the file of --state, and keep its state
// there, until done is called.
func (f *policyFlags) takeState(tuner *tune.Tuner, tool cli.IO) (done func(), err error) {
	if f.State == nil {
		return func() {}, nil
	}
	file, err := statefile.Open(*f.State)
	if err != nil {
		return nil, err
	}
	if err := f.restore(tuner, file, tool); err != nil {
		file.Close()
		return nil, err
	}
	tuner.Keep(file)
	return func() { file.Close() }, nil
}

func (f *policyFlags) restore(tuner *tune.Tuner, file *statefile.File, tool cli.IO) error {
	if input, err := f.inputInfo(tool); err == nil && file.Is(input) {
		return cli.Usagef("--state: %s is the input as well; it would be replaced", *f.State)
	}
	in, err := file.Read()
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(tool.Messages(), "%s: not there yet; it begins with this run\n", *f.State)
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	return tuner.Restore(stream.NewReader[stream.State](in, *f.State, stream.WarnTo(tool.Messages())), *f.State)
}

// inputInfo tells what file the turns are in.
func (f *policyFlags) inputInfo(tool cli.IO) (fs.FileInfo, error) {
	if f.File != "" && f.File != "-" {
		return os.Stat(f.File)
	}
	if stdin, ok := tool.Stdin.(*os.File); ok {
		return stdin.Stat()
	}
	return nil, fs.ErrNotExist
}
