package patience

import (
	"maps"
	"testing"
)

func TestNeedByRank(t *testing.T) {
	got := NeedByRank(map[uint32]uint64{1: 30, 2: 10, 5: 2 * MaxNs, 7: 40}, 4)
	want := map[uint32]uint64{1: 30, 2: 30, 5: MaxNs / 4, 7: MaxNs / 4}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestNs(t *testing.T) {
	for _, c := range []struct {
		needNs        uint64
		stretch, cpus int
		want          uint64
	}{
		{100, 4, 1, 400},
		{100, 4, 2, 175},
		{100, 4, 3, 133},
		{1000000, 4, 300, 1000033},
		{100, 1, 1, 100},
		{0, 4, 1, 0},
		{MaxNs / MaxStretch, MaxStretch, 1, MaxNs},
		{MaxNs / 4, 4, 1, MaxNs},
	} {
		if got := Ns(c.needNs, c.stretch, c.cpus); got != c.want {
			t.Errorf("%d ns, stretch %d, %d CPUs: %d, want %d", c.needNs, c.stretch, c.cpus, got, c.want)
		}
	}
}
