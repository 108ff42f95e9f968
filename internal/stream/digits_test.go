package stream

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// All parts of a number are halved alike, so those of four digits are all of them.
func TestAppendWholeIsThatOfStrconv(t *testing.T) {
	check := func(v int64) {
		t.Helper()
		if got, want := string(appendWhole([]byte("x"), v)), "x"+strconv.FormatInt(v, 10); got != want {
			t.Fatalf("%d is written as %q", v, got)
		}
	}
	for v := range int64(10_000) {
		for _, scale := range []int64{1, 10_000, 1e8, 1e12} {
			check(v * scale)
			check(v*scale + 9999)
		}
	}
	for v := int64(1); v <= math.MaxInt64/10; v *= 10 {
		for _, near := range []int64{v - 1, v, v + 1, -v} {
			check(near)
		}
	}
	check(math.MaxInt64)
	check(math.MinInt64)
	random := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(random.Int64() >> random.IntN(63))
	}
}
