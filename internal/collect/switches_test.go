package collect

import (
	"bytes"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"alps/internal/stream"
)

// What the kernel counts of a process that sleeps so often.
func TestSwitchesAreTheKernels(t *testing.T) {
	const name = "fn-switch"
	const naps = 200
	s := collect(t, byComm(name))
	cmd := body(t, name, "nap", strconv.Itoa(naps))
	run(t, cmd)
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	row := s.one()
	// The last switch of each thread is of its own will but no sleep, and may come
	// after the parent has looked.
	const threads = 20
	if got, want := int64(row.Switches), usage.Nvcsw+usage.Nivcsw; got < want-threads || got > want+threads {
		t.Errorf("%d switches, the kernel says %d", got, want)
	}
	if got, want := int64(row.Sleeps), usage.Nvcsw; got < naps || got > want || got < want-threads {
		t.Errorf("%d sleeps; the kernel says %d switches of its own will, %d of them naps", got, want, naps)
	}
}

// Two that never sleep share a CPU.
func TestPushedOffIsNoSleep(t *testing.T) {
	const name = "fn-pushed"
	s := collect(t, byComm(name))
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { runRenamed(t, name, "300ms") })
	}
	both.Wait()
	for _, row := range s.finish() {
		if row.Sleeps > 5 || row.Switches < 10 {
			t.Errorf("%d switches, %d of them sleeps", row.Switches, row.Sleeps)
		}
	}
}

// loses is a kernel side where one invocation lives, that loses 2 events a window.
type loses struct {
	oneEnd
	windows int
}

func (k *loses) Losses() (losses, error) {
	k.windows++
	return losses{RingFull: uint64(2 * k.windows)}, nil
}

// What windows without rows have lost is in the next that has some.
func TestLostColumn(t *testing.T) {
	var out, messages bytes.Buffer
	kernel := &loses{oneEnd: oneEnd{exits: never, sent: never, removed: never}}
	c := newTestCollector(t, kernel, &out, &messages)
	for _, comm := range []string{"fn", "other", "other", "fn"} {
		p := theOne
		p.Comm = comm
		kernel.living = &p
		if err := c.closeWindow(instant{}, false); err != nil {
			t.Fatal(err)
		}
	}
	var got []stream.Whole
	for _, rows := range readInvocations(t, &out) {
		got = append(got, rows[0].Lost)
	}
	if diff := cmp.Diff([]stream.Whole{2, 6}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
