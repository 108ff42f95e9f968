package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Input opens the FILE argument of a tool, where "-" and "" are stdin. The
// name is what errors call the input.
func Input(tool IO, file string) (in io.ReadCloser, name string, err error) {
	if file == "" || file == "-" {
		return io.NopCloser(tool.Stdin), "stdin", nil
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, "", err
	}
	return opened, file, nil
}

// Messages returns a writer to stderr that puts the tool's name before each
// line. Give it whole lines.
func (t IO) Messages() io.Writer { return prefixWriter{prefix: t.Name + ": ", w: t.Stderr} }

type prefixWriter struct {
	prefix string
	w      io.Writer
}

// Write writes whole lines, all with one call.
func (p prefixWriter) Write(text []byte) (int, error) {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		out.WriteString(p.prefix)
		out.Write(line)
	}
	if _, err := p.w.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// watchedWriter remembers whether the reader of the output has gone.
type watchedWriter struct {
	w    io.Writer
	gone bool
}

// Write implements [io.Writer].
func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	if isGone(err) {
		w.gone = true
	}
	return n, err
}

// isGone tells whether a write failed because nobody reads any more.
func isGone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// withSignals returns a context that the first SIGINT or SIGTERM cancels. From
// then on both have their default effect, so the second kills. For a filter,
// SIGTERM has its default effect from the start.
//
// A write to a closed stdout must be an error and not the signal SIGPIPE,
// with which the Go runtime would end the process. SIGPIPE is caught and not
// ignored, because child processes would inherit the latter.
func withSignals(parent context.Context, filter bool) (ctx context.Context, stop func()) {
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)

	asked := make(chan os.Signal, 1)
	signal.Notify(asked, os.Interrupt)
	if !filter {
		signal.Notify(asked, syscall.SIGTERM)
	}
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-asked:
			// Before the cancelling, so that whoever sees it can rely
			// on the default effect.
			signal.Stop(asked)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		signal.Stop(asked)
		signal.Stop(broken)
	}
}
