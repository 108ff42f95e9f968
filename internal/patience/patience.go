// Package patience has the rule of how long a function may be passed by, which
// alps-load puts into the kernel and alps-sim simulates. docs/decisions/0004 and
// 0010 have the reasons.
package patience

import (
	"maps"
	"slices"
)

const (
	// DefaultStretch is how many times as long as if all shared the CPUs evenly
	// a function may take before it is late.
	DefaultStretch = 4
	// MaxStretch bounds the stretch.
	MaxStretch = 1000
	// MaxNs is as long as a function may be passed by at the most, however
	// much it needs: an hour, far beyond the starvation bound.
	MaxNs = 3_600_000_000_000
)

// ByRank returns for each rank how long, in ns of fair time, its functions may be
// passed by after their arrival: stretch (1 to MaxStretch) times their demand, at most
// MaxNs, and no less than the patience of any better rank, so that of functions
// that come together the better rank always goes first. The demands are in ns.
func ByRank(demandNs map[uint32]uint64, stretch int) map[uint32]uint64 {
	var longest uint64
	patienceNs := make(map[uint32]uint64, len(demandNs))
	for _, rank := range slices.Sorted(maps.Keys(demandNs)) {
		longest = max(longest, min(demandNs[rank], MaxNs/uint64(stretch))*uint64(stretch))
		patienceNs[rank] = longest
	}
	return patienceNs
}
