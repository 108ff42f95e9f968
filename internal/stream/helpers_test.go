package stream

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// Headers without the columns that explain.
const (
	invocationHeader = "window,rows,class,key,invocation,arrival_ns,cpu_ns,end_ns,wait_ns,block_ns,cpus,util_pct\n"
	turnHeader       = "window,rows,class,key,invocation,turn,slice_ns,wait_ns,cpus,util_pct\n"
	policyHeader     = "window,rows,class,key,from_ns,rank,slice_ns\n"
	stateHeader      = "window,rows,what,class,key,invocation,slice_ns,wait_ns\n"
)

// window is a copy of a Window, for comparing.
type window[T Row] struct {
	ID    Integer
	Rows  []T
	Lines []int
}

// readAll reads a whole stream: the windows before the error, the error
// (nil at the end of the input) and the warnings.
func readAll[T Row](input string) (windows []window[T], warnings string, err error) {
	var warned strings.Builder
	return drain(NewReader[T](strings.NewReader(input), "stdin", WarnTo(&warned)), &warned)
}

func drain[T Row](reader *Reader[T], warned *strings.Builder) ([]window[T], string, error) {
	var windows []window[T]
	for {
		w, err := reader.Next()
		if err == io.EOF {
			return windows, warned.String(), nil
		}
		if err != nil {
			return windows, warned.String(), err
		}
		windows = append(windows, window[T]{w.ID, slices.Clone(w.Rows), slices.Clone(w.Lines)})
	}
}

// write writes windows and returns the stream.
func write[T Row](t testing.TB, windows []window[T]) string {
	t.Helper()
	var out strings.Builder
	writer := NewWriter[T](&out)
	for _, w := range windows {
		if err := writer.Write(w.ID, slices.Clone(w.Rows)); err != nil {
			t.Fatalf("writing window %d: %v", w.ID, err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	return out.String()
}

// sizes lists how many rows each window has.
func sizes[T Row](windows []window[T]) []int {
	out := []int{}
	for _, w := range windows {
		out = append(out, len(w.Rows))
	}
	return out
}

// wantError fails the test unless err is an *Error that reads want.
func wantError(t *testing.T, err error, want string) {
	t.Helper()
	var bad *Error
	if !errors.As(err, &bad) {
		t.Fatalf("error %v (%T), want the *Error %q", err, err, want)
	}
	if err.Error() != want {
		t.Errorf("error\n  %s\nwant\n  %s", err, want)
	}
}

// setProcs sets how many CPUs are used until the test ends.
func setProcs(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

// checkGoroutines fails the test if there are more goroutines at its end than
// now. One that has been waited for may take a moment to be gone.
func checkGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 100 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		stacks := make([]byte, 1<<16)
		t.Errorf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
	})
}
