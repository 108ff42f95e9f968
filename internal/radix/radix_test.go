package radix

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestSortIsThatOfSlices(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := make([]int64, rapid.IntRange(0, 3*fewest).Draw(t, "values"))
		longest := rapid.IntRange(0, 63).Draw(t, "bits")
		negative := rapid.Bool().Draw(t, "negative")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		for i := range values {
			values[i] = random.Int64() >> (63 - longest)
			if negative && i%3 == 0 {
				values[i] = ^values[i]
			}
		}
		want := slices.Sorted(slices.Values(values))
		if Sort(values); !slices.Equal(values, want) {
			t.Fatalf("sorted to %d, want %d", values, want)
		}
	})
}

func BenchmarkSort(b *testing.B) {
	for name, sort := range map[string]func([]int64){"radix": Sort, "slices": slices.Sort[[]int64]} {
		for _, n := range []int{100, fewest, 1000, 10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/values=%d", name, n), func(b *testing.B) {
				values, random := make([]int64, n), rand.New(rand.NewPCG(1, 2))
				for b.Loop() {
					for i := range values {
						values[i] = random.Int64N(1e8)
					}
					sort(values)
				}
			})
		}
	}
}
