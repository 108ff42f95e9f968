// Package radix sorts times. A window has millions of them, for which slices.Sort takes
// three times as long.
package radix

import (
	"math/bits"
	"slices"
)

const (
	digitBits = 8
	// fewest is from how many values on there is something to gain.
	fewest = 200
)

// Sort sorts values in ascending order: by their digits, the last one first. It takes as
// much memory again.
func Sort(values []int64) {
	if len(values) < fewest || slices.Min(values) < 0 {
		slices.Sort(values)
		return
	}
	from, to := values, make([]int64, len(values))
	for shift := range digits(slices.Max(values)) {
		shift *= digitBits
		var next [1 << digitBits]int // where the next value with each digit belongs
		for _, v := range from {
			next[uint8(v>>shift)]++
		}
		at := 0
		for digit, n := range next {
			next[digit] = at
			at += n
		}
		for _, v := range from {
			place := &next[uint8(v>>shift)]
			to[*place] = v
			*place++
		}
		from, to = to, from
	}
	copy(values, from) // which may be values
}

// digits is how many digits a value has.
func digits(v int64) int { return (bits.Len64(uint64(v)) + digitBits - 1) / digitBits }
