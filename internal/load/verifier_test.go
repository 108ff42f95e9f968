package load

import (
	"errors"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"alps/bpf"
)

// How much the kernel has to go through before it takes the scheduler: what attaching
// takes is mostly that, and at a million for a program it gives up.
func TestVerifierWork(t *testing.T) {
	guest(t)
	// Of a program, and of all of them.
	const most, mostInAll = 30_000, 70_000
	spec, err := bpf.LoadSched()
	if err != nil {
		t.Fatal(err)
	}
	var o Options
	if err := o.configure(spec); err != nil {
		t.Fatal(err)
	}
	if err := pickKfuncs(spec); err != nil {
		t.Fatal(err)
	}
	if err := o.setOps(spec); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		var why *ebpf.VerifierError
		if errors.As(err, &why) {
			t.Logf("%-20v", why) // the last lines
		}
		t.Fatal(err)
	}
	defer coll.Close()
	t.Logf("all in %v", time.Since(began).Round(time.Millisecond))
	var all uint32
	for name, program := range coll.Programs {
		info, err := program.Info()
		if err != nil {
			t.Fatal(err)
		}
		n, ok := info.VerifiedInstructions()
		if !ok {
			t.Fatalf("%s: the kernel does not say", name)
		}
		t.Logf("%-20s %7d", name, n)
		if n > most {
			t.Errorf("%s: %d instructions gone through, more than %d", name, n, most)
		}
		all += n
	}
	if t.Logf("%-20s %7d", "all", all); all > mostInAll {
		t.Errorf("%d instructions gone through, more than %d", all, mostInAll)
	}
}
