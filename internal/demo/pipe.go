package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"alps/internal/stream"
)

// stage is one command of a pipe, and the file that keeps what it writes.
type stage struct {
	args []string
	save string
}

// pipe runs commands as a shell's pipe does, with a tee behind each.
func pipe(ctx context.Context, stdin io.Reader, stages ...stage) error {
	var files []*os.File
	for _, s := range stages {
		file, err := os.Create(s.save)
		if err != nil {
			return err
		}
		defer file.Close()
		files = append(files, file)
	}
	errs := make(chan error, len(stages))
	for i, s := range stages {
		read, write := io.Pipe()
		stdout := io.MultiWriter(files[i], write)
		if i == len(stages)-1 {
			stdout = files[i]
		}
		in := stdin
		go func() {
			err := runStage(ctx, in, stdout, s.args)
			write.Close()
			if r, ok := in.(*io.PipeReader); ok {
				// Whoever writes to a command that is gone must not stand still.
				r.CloseWithError(errReaderGone)
			}
			errs <- err
		}()
		stdin = read
	}
	var all error
	for range stages {
		all = errors.Join(all, <-errs)
	}
	return all
}

var errReaderGone = errors.New("the reader is gone")

func runStage(ctx context.Context, stdin io.Reader, stdout io.Writer, args []string) error {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		// A reader that goes away ends a command quietly; why it went, it says itself.
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGPIPE {
			return nil
		}
	}
	if err != nil && !errors.Is(err, errReaderGone) {
		return fmt.Errorf("%s: %w: %s", filepath.Base(args[0]), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}

// srpt asks alps-sim what SRPT would have done with invocations as one window:
// the turnaround in ns of each. SRPT costs nothing and may end a turn at any time.
func (o Options) srpt(ctx context.Context, rows []stream.Invocation) (map[string]int64, error) {
	invocations, turns := o.path("srpt-invocations.csv"), o.path("srpt-turns.csv")
	if err := writeFile(invocations, func(w io.Writer) error {
		return stream.NewWriter[stream.Invocation](w).Write(1, rows)
	}); err != nil {
		return nil, err
	}
	if err := pipe(ctx, nil, stage{[]string{o.tool("alps-sim"), "--min-slice", "0s", invocations}, turns}); err != nil {
		return nil, fmt.Errorf("simulating SRPT: %w", err)
	}
	f, err := os.Open(turns)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w, err := stream.NewReader[stream.Turn](f, turns).Next()
	if err != nil {
		return nil, err
	}
	return turnarounds(w.Rows), nil
}

// turnarounds returns the turnaround in ns of each invocation of a window of
// turns.
func turnarounds(turns []stream.Turn) map[string]int64 {
	took := make(map[string]int64)
	arrival := make(map[string]int64)
	for i := range turns {
		t := &turns[i]
		id := string(t.Invocation)
		if t.Turn == 1 {
			arrival[id] = int64(t.StartNs.Nanos - t.WaitNs)
		}
		took[id] = int64(t.StartNs.Nanos+t.SliceNs) - arrival[id]
	}
	return took
}
