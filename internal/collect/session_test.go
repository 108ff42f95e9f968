package collect

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"alps/internal/stream"
)

// needKernel skips a test where the kernel side cannot be loaded.
func needKernel(t *testing.T) {
	t.Helper()
	if err := check(); err != nil {
		t.Skip(err)
	}
}

// session is a run of the collector in the test's process.
type session struct {
	t        *testing.T
	stop     context.CancelFunc
	windows  chan []stream.Invocation
	ended    chan error
	messages lockedBuffer
}

// collect starts a run and waits until it is attached.
func collect(t *testing.T, options Options) *session {
	t.Helper()
	needKernel(t)
	ctx, stop := context.WithCancel(context.Background())
	s := &session{t: t, stop: stop, windows: make(chan []stream.Invocation, 1024), ended: make(chan error, 1)}
	out, in := io.Pipe()
	go func() {
		err := Run(ctx, options, in, &s.messages)
		in.CloseWithError(err)
		s.ended <- err
	}()
	reader := bufio.NewReader(out)
	header, err := reader.ReadString('\n')
	if err != nil {
		stop()
		t.Fatal(err)
	}
	go func() {
		defer close(s.windows)
		rows := stream.NewReader[stream.Invocation](io.MultiReader(strings.NewReader(header), reader), "collect")
		for {
			window, err := rows.Next()
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				return
			}
			s.windows <- append([]stream.Invocation(nil), window.Rows...)
		}
	}()
	t.Cleanup(func() {
		stop()
		for range s.windows {
		}
	})
	return s
}

// finish ends the run and returns all its rows that were not taken yet.
func (s *session) finish() []stream.Invocation {
	s.t.Helper()
	s.stop()
	var rows []stream.Invocation
	for window := range s.windows {
		rows = append(rows, window...)
	}
	if err := <-s.ended; err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// one ends the run and returns its only row.
func (s *session) one() stream.Invocation {
	s.t.Helper()
	rows := s.finish()
	if len(rows) != 1 {
		s.t.Fatalf("%d rows, want 1: %+v\n%s", len(rows), rows, &s.messages)
	}
	return rows[0]
}

// lockedBuffer is a buffer that two goroutines may use.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// aboutEqual is the tool's promise: 2% or 1 ms.
func aboutEqual(got, want time.Duration) bool {
	return (got - want).Abs() <= max(want/50, time.Millisecond)+slack()
}

// slack is by how much more a time may be off in an emulator: there a CPU stands still,
// anywhere, while the host runs another one, and the kernel takes that for its time.
var slack = sync.OnceValue(func() time.Duration {
	if cpu, err := os.ReadFile("/proc/cpuinfo"); err == nil && strings.Contains(string(cpu), "QEMU TCG") {
		return 100 * time.Millisecond
	}
	return 0
})

// wantMessage fails the test if the ended run did not say something.
func wantMessage(t *testing.T, s *session, text string) {
	t.Helper()
	if got := s.messages.String(); !strings.Contains(got, text) {
		t.Errorf("messages:\n%s\nwant among them: %s", got, text)
	}
}
