package load

import (
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"alps/internal/stream"
)

// The policy is replaced again and again while all kinds of tasks run. Every
// reader finds a whole policy at any time, and the tasks follow.
func TestReplaceUnderLoad(t *testing.T) {
	rounds := size(21, 1000)
	o := guest(t)
	for _, group := range []string{"/alps-test/a", "/alps-test/b", "/alps-test/forks"} {
		cgroup(t, group)
	}
	first := ranks(t, -1, "comm:none")
	load(t, o, first) // before the workload slows it
	a := start(t, "/alps-test/a", body(t, "a", "spin"))
	b := start(t, "", body(t, "b", "spin"))
	start(t, "/alps-test/forks", body(t, "forks", "forks"))
	start(t, "", body(t, "blink", "blink"))

	survives(t, o, first, func() {
		stop, ended := make(chan bool), make(chan error)
		go func() { ended <- dumpAlways(o, stop) }()
		for round := range rounds {
			keys := []string{"comm:blink", "cgroup:/alps-test/forks", "cgroup:/alps-test/a", "comm:b"}
			if round%2 == 1 {
				keys[2], keys[3] = keys[3], keys[2] // of a and b
			}
			// Texts of one chunk and of several, which come and go.
			for i := range round % 5 * 40 {
				keys = append(keys, fmt.Sprintf("cgroup:/alps-test/other%d", i))
			}
			policy := ranks(t, round, keys...)
			if load(t, o, policy) {
				t.Errorf("round %d: it attached again", round)
			}
			inForce(t, o, policy)
			turnsGrow(t, o)
			switch period := size(6, 60); round % period { // seldom, since it takes long
			case 0:
				isFirst(t, a, b)
			case period/2 | 1:
				isFirst(t, b, a)
			}
		}
		close(stop)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		load(t, o, first)
	})
}

// dumpAlways dumps until it is stopped. Each dump has to be a whole window, and
// none older than the one before.
func dumpAlways(o Options, stop <-chan bool) error {
	last := stream.Integer(math.MinInt64)
	for {
		select {
		case <-stop:
			return nil
		case <-time.After(100 * time.Millisecond):
		}
		dump, err := o.Dump()
		if err != nil {
			return err
		}
		policies := stream.NewReader[stream.Policy](strings.NewReader(string(dump)), "dump")
		w, err := policies.Next()
		if err != nil {
			return err
		}
		if w.ID < last {
			return fmt.Errorf("window %d is dumped after window %d", w.ID, last)
		}
		last = w.ID
		if _, err := policies.Next(); err != io.EOF {
			return fmt.Errorf("more than a window is dumped: %v", err)
		}
	}
}

func TestMostKeys(t *testing.T) {
	o := guest(t)
	o.Stretch = 15
	cgroup(t, "/fn/f65535")
	start(t, "/fn/f65535", body(t, "worker", "blink"))
	policy := table(t, manyKeys(MaxClasses))
	load(t, o, ranks(t, 0, "comm:a"))
	before := time.Now()
	load(t, o, policy)
	t.Logf("%d keys replaced one in %v", MaxClasses, time.Since(before).Round(time.Millisecond))
	inForce(t, o, policy)
	w, err := o.watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	turnsGrow(t, o)
	all, err := w.next()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != MaxClasses+1 || all[MaxClasses-1].key != "cgroup:/fn/f65535" || all[MaxClasses-1].stats.Turns < 20 || all[0].stats != (classStats{}) {
		t.Errorf("%d keys are given, first %+v, last %+v", len(all), all[0], all[len(all)-2:])
	}
}
