package load

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"alps/internal/stream"
)

// What the steps of a policy count from depends on the kind of the key. Two processes
// share a CPU, one of which has a step after 100 ms that makes it worse than the
// other.

// kindRows is the policy: a is first until it has used 100 ms, then b is.
func kindRows(keyA, keyB, kind string) string {
	return "window,class,key,from_ns,rank,slice_ns,kind\n" +
		"1,a," + keyA + ",0,1,0," + kind + "\n1,a," + keyA + ",100000000,3,0," + kind + "\n1,b," + keyB + ",0,2,0,\n"
}

// rawTable is the checked table of a policy with its header.
func rawTable(t *testing.T, csv string) *Table {
	t.Helper()
	w, err := stream.NewReader[stream.Policy](strings.NewReader(csv), "stdin").Next()
	if err != nil {
		t.Fatal(err)
	}
	checked, err := Check(w)
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

func init() {
	// bursts CPU PAUSE: uses so much CPU time and sleeps for so long, for ever.
	bodies["bursts"] = func(args []string) {
		pause := unix.NsecToTimespec(int64(span(args[1])))
		for {
			spinFor(span(args[0]))
			unix.Nanosleep(&pause, nil)
		}
	}
}

// A process that sleeps goes on counting; a thread of a runtime that serves requests
// begins anew with each.
func TestRequestsBeginAnew(t *testing.T) {
	o := guest(t)
	// Each burst takes 20 ms, so that the tenth is past the step, if they add up.
	a := start(t, "", body(t, "a", "bursts", "20ms", "5ms"))
	b := start(t, "", body(t, "b", "spin"))
	turnsBegin(t, a)
	load(t, o, rawTable(t, kindRows("comm:a", "comm:b", "process")))
	time.Sleep(time.Second)
	shareOf := func() float64 {
		const look = 6 * time.Second
		ofA, ofB := cpuTime(t, a), cpuTime(t, b)
		time.Sleep(look)
		ofA, ofB = cpuTime(t, a)-ofA, cpuTime(t, b)-ofB
		return float64(ofA) / float64(ofA+ofB)
	}
	if share := shareOf(); share > 0.3 {
		t.Errorf("as one process it has %.2f of the CPU, after its step", share)
	}
	load(t, o, rawTable(t, kindRows("comm:a", "comm:b", "request")))
	time.Sleep(time.Second)
	if share := shareOf(); share < 0.5 {
		t.Errorf("as requests it has %.2f of the CPU, before its step", share)
	}
}

// All that a cgroup does counts together, until it is frozen: then it begins anew.
func TestSpellsBeginAnew(t *testing.T) {
	o := guest(t)
	cgroup(t, "/alps-test/a")
	a := start(t, "/alps-test/a", body(t, "a", "spin"))
	b := start(t, "", body(t, "b", "spin"))
	load(t, o, rawTable(t, kindRows("cgroup:/alps-test/a", "comm:b", "cgroup")))
	isFirst(t, b, a) // 100 ms are soon used, if only by the starvation bound

	// A process more of the same spell is no newcomer.
	other := start(t, "/alps-test/a", body(t, "other", "spin"))
	turnsBegin(t, other)
	isFirst(t, b, other)

	freeze := func(yes string) {
		t.Helper()
		if err := os.WriteFile("/sys/fs/cgroup/alps-test/a/cgroup.freeze", []byte(yes), 0); err != nil {
			t.Fatal(err)
		}
	}
	kill(other)
	freeze("1")
	eventually(t, "it is frozen", func() bool { return fieldOf(t, "/sys/fs/cgroup/alps-test/a/cgroup.events", "frozen") == 1 })
	before := cpuTime(t, a)
	used := func() time.Duration { return cpuTime(t, a) - before }
	freeze("0")
	// It has its 100 ms at once, before b, which else leaves it a tick of each wait.
	ofB := cpuTime(t, b)
	eventually(t, "its new spell has used its first step", func() bool { return used() >= 90*time.Millisecond })
	if ofB = cpuTime(t, b) - ofB; ofB > used() {
		t.Errorf("of its first %v the other one had %v meanwhile: the spell has not begun anew", used(), ofB)
	}
	isFirst(t, b, a)
}

func TestKindsOfKeys(t *testing.T) {
	const header = "window,class,key,from_ns,rank,slice_ns,kind\n"
	checked := rawTable(t, header+"1,p,comm:p,0,1,0,process\n1,e,comm:e,0,1,0,\n1,r,comm:r,0,1,0,request\n1,c,cgroup:/c,0,1,0,cgroup\n")
	var flags []uint32
	for _, record := range checked.records(classRecord{}, 0).records {
		flags = append(flags, record.Flags)
	}
	if want := []uint32{0, 0, 0, flagRequest, flagCgroup}; !slices.Equal(flags, want) {
		t.Errorf("flags %v, want %v", flags, want)
	}
	w, err := stream.NewReader[stream.Policy](strings.NewReader(header+"1,a,comm:a,0,1,0,request\n1,a,comm:a,9,2,0,\n"), "stdin").Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Check(w); err == nil || err.Error() != `stdin:3: kind: comm:a is of kind "request" and of kind ""` {
		t.Errorf("two kinds of a key: %v", err)
	}
}
