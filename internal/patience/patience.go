// Package patience has the rule of how long a function may be passed by, which
// alps-load puts into the kernel and alps-sim simulates. docs/decisions/0004 and
// 0010 have the reasons.
package patience

import (
	"maps"
	"slices"
)

const (
	// DefaultStretch is how many times as long as if all shared the CPU evenly a
	// function may take, on one CPU, before it is late.
	DefaultStretch = 4
	// MaxStretch bounds the stretch.
	MaxStretch = 1000
	// MaxNs is as long as a function may be passed by at the most, however
	// much it needs: an hour, far beyond the starvation bound.
	MaxNs = 3_600_000_000_000
)

// NeedByRank returns for each rank the CPU time in ns from which the patience of its
// functions comes: their demand, no less than that of any better rank, so that
// of functions that come together the better rank always goes first, and so much at
// most that the patience is no longer than MaxNs. The stretch is from 1 to MaxStretch.
func NeedByRank(demandNs map[uint32]uint64, stretch int) map[uint32]uint64 {
	var longest uint64
	needNs := make(map[uint32]uint64, len(demandNs))
	for _, rank := range slices.Sorted(maps.Keys(demandNs)) {
		longest = max(longest, min(demandNs[rank], MaxNs/uint64(stretch)))
		needNs[rank] = longest
	}
	return needNs
}

// Ns returns how long, in ns of fair time, a function may be passed by after its
// arrival that needs so much CPU time (at most MaxNs / stretch): stretch times that on
// one CPU, and the nearer to it the more CPUs there are, as with many of them few
// functions are late at once. It is patience_ns in bpf/sched_order.h.
func Ns(needNs uint64, stretch, cpus int) uint64 {
	return needNs + needNs*uint64(stretch-1)/uint64(cpus*cpus)
}
