package tune

import (
	"math"

	"alps/internal/radix"
)

// Products are converted to float64 before they are added: Go may otherwise fuse
// the two operations, on some architectures only, and the last digit differs.

// mean is the arithmetic mean of at least one value.
func mean(values []int64) float64 {
	var sum float64
	for _, v := range values {
		sum += float64(v)
	}
	return sum / float64(len(values))
}

// stdev is the population standard deviation of at least one value.
func stdev(values []int64) float64 {
	m := mean(values)
	var squares float64
	for _, v := range values {
		d := float64(v) - m
		squares += float64(d * d)
	}
	return math.Sqrt(squares / float64(len(values)))
}

// median is the middle of at least one value that is not negative; of an even
// number of values the mean of the two in the middle, rounded down. It sorts the
// values.
func median(values []int64) int64 {
	radix.Sort(values)
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle]
	}
	low, high := values[middle-1], values[middle]
	return low + (high-low)/2
}

// roundNs is the nearest whole number of nanoseconds that a row can have;
// halves go up.
func roundNs(ns float64) int64 {
	ns = math.Round(ns)
	switch {
	case ns >= math.MaxInt64:
		return math.MaxInt64
	case ns > 0:
		return int64(ns)
	}
	return 0
}
