package collect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"alps/internal/stream"
)

const never = 1 << 30

// oneEnd is a kernel side with one invocation, which ends in three steps, as
// in bpf/collect.bpf.c. Each is taken just before the call of that number.
type oneEnd struct {
	exits, sent, removed int

	onLiving func()   // called while the living are read
	living   *process // instead of theOne

	calls int
	taken bool
}

var theOne = process{processID: processID{Number: 7, StartNs: 100}, Comm: "fn", Cgroup: "/", LifeNs: 5}

func (k *oneEnd) Invoked() (map[processID]bool, error) {
	k.calls++
	if k.calls >= k.removed {
		return map[processID]bool{}, nil
	}
	return map[processID]bool{theOne.processID: true}, nil
}

func (k *oneEnd) Living() (map[processID]process, error) {
	k.calls++
	if k.onLiving != nil {
		defer k.onLiving()
	}
	if k.calls >= k.exits {
		return map[processID]process{}, nil
	}
	if k.living != nil {
		return map[processID]process{k.living.processID: *k.living}, nil
	}
	return map[processID]process{theOne.processID: theOne}, nil
}

func (k *oneEnd) Ended(take func(process)) error {
	k.calls++
	if k.calls >= k.sent && !k.taken {
		k.taken = true
		p := theOne
		p.EndNs = 200
		take(p)
	}
	return nil
}

func (k *oneEnd) Losses() (losses, error) { return losses{}, nil }

func newTestCollector(t *testing.T, kernel kernelSide, out, messages io.Writer) *collector {
	t.Helper()
	classifier, err := newClassifier(ByComm, Filter{Comms: []string{"fn"}})
	if err != nil {
		t.Fatal(err)
	}
	return &collector{
		kernel:   kernel,
		out:      stream.NewWriter[stream.Invocation](out),
		messages: messages,
		window:   newWindow(stream.Process, classifier),
		cpus:     []int{0},
	}
}

// Wherever in the closing of a window an invocation ends: what had exited
// before has its end in this window, and what had not has a row.
func TestNoEndFallsBetweenTwoLooks(t *testing.T) {
	const calls = 7 // two looks at the three, and one more
	for exits := 1; exits <= calls; exits++ {
		for sent := exits; sent <= calls; sent++ {
			for removed := sent; removed <= calls; removed++ {
				name := fmt.Sprintf("exits %d, sent %d, removed %d", exits, sent, removed)
				c := newTestCollector(t, &oneEnd{exits: exits, sent: sent, removed: removed}, io.Discard, io.Discard)
				if err := c.settle(time.Hour); err != nil {
					t.Fatal(err)
				}
				row, ok := c.window.rows[theOne.processID]
				if !ok {
					t.Errorf("%s: no row", name)
				}
				if exits == 1 && !row.EndNs.Valid {
					t.Errorf("%s: no end", name)
				}
			}
		}
	}
}

// readInvocations reads a whole stream.
func readInvocations(t *testing.T, text io.Reader) (windows [][]stream.Invocation) {
	t.Helper()
	for in := stream.NewReader[stream.Invocation](text, "collect"); ; {
		window, err := in.Next()
		if err == io.EOF {
			return windows
		}
		if err != nil {
			t.Fatal(err)
		}
		windows = append(windows, append([]stream.Invocation(nil), window.Rows...))
	}
}

// Told to stop while a window is closed, a run has one more: for what ended in
// between.
func TestStopWhileAWindowIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		kernel := &oneEnd{exits: 4, sent: 4, removed: 4, onLiving: stop}
		var out, messages bytes.Buffer
		if err := newTestCollector(t, kernel, &out, &messages).run(ctx, 100*time.Millisecond, 0); err != nil {
			t.Fatal(err)
		}
		windows := readInvocations(t, &out)
		if len(windows) != 2 || windows[0][0].EndNs.Valid || !windows[1][0].EndNs.Valid {
			t.Errorf("want it to live in one window and to end in the next: %+v", windows)
		}
		if messages.Len() > 0 {
			t.Error(messages.String())
		}
	})
}

// After the last window there is none in which a late end could come.
func TestEndAfterTheLastWindowIsALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var messages bytes.Buffer
		c := newTestCollector(t, &oneEnd{exits: 1, sent: never, removed: never}, io.Discard, &messages)
		if err := errors.Join(c.run(t.Context(), 100*time.Millisecond, 3), c.tellAll(false)); err != nil {
			t.Fatal(err)
		}
		if got := messages.String(); strings.Count(got, "1 invocations (end not seen)") != 2 {
			t.Errorf("want it told once, and in all:\n%s", got)
		}
		if err := c.tellAll(true); err == nil || err.Error() != "lost in all: 1 invocations (end not seen)" {
			t.Errorf("strict: error %v", err)
		}
	})
}

// Short processes end around the edges of short windows, beside long ones.
func TestEachEndsInOneWindow(t *testing.T) {
	const name = "fn-ends"
	const forks = 100 // of a round
	for _, length := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond} {
		t.Run(length.String(), func(t *testing.T) {
			options := byComm(name)
			options.Window = length
			s := collect(t, options)
			long := body(t, name, "sleep")
			start(t, long)
			rounds := 0
			for until := time.Now().Add(time.Second); time.Now().Before(until); rounds++ {
				run(t, body(t, "starter", "renames", fmt.Sprint(forks), name))
				run(t, body(t, name, "threads", "4", "1ms"))
			}
			kill(long)
			rows := s.finish()

			order := map[stream.Integer]int{} // of the windows
			last := map[stream.Name]stream.Invocation{}
			ends := 0
			for _, row := range rows {
				if _, ok := order[row.Window]; !ok {
					order[row.Window] = len(order)
				}
				before, again := last[row.Invocation]
				if again && (before.EndNs.Valid || order[row.Window] != order[before.Window]+1) {
					t.Errorf("not one row a window up to its end: %+v, %+v", before, row)
				}
				last[row.Invocation] = row
				if row.EndNs.Valid {
					ends++
				}
			}
			if want := rounds*(forks+1) + 1; len(last) != want || ends != want {
				t.Errorf("%d invocations with %d ends, want %d: %s", len(last), ends, want, &s.messages)
			}
		})
	}
}

// What is known to have ended when a run is told to stop has its end.
func TestEndsBeforeAStop(t *testing.T) {
	const name = "fn-stop"
	options := byComm(name)
	options.Window = 50 * time.Millisecond
	for range 6 {
		s := collect(t, options)
		cmd := body(t, name, "sleep")
		start(t, cmd)
		<-s.windows // closed just now
		kill(cmd)
		rows := s.finish()
		if len(rows) == 0 || !rows[len(rows)-1].EndNs.Valid {
			t.Errorf("no end: %+v\n%s", rows, &s.messages)
		}
	}
}
