package tune

import (
	"math"

	"alps/internal/stream"
	"alps/internal/unknown"
)

// keepMonotone cuts the slices of the rows, which are in the order of [Tuner.Policy],
// to the shortest of the classes of better ranks: the artifact's rule that no class
// has a longer slice than the one before it. A class's rank is that of its first row;
// classes of equal ranks do not cut each other.
//
// A slice of 0 is no slice, so it stays and does not cut others. Nor does that of
// [unknown.Class], which is a guess of what may run and no class before others.
func keepMonotone(rows []stream.Policy) {
	var (
		limit, next stream.Nanos = math.MaxInt64, math.MaxInt64 // of the ranks before, and with this one
		rank        stream.Count
		class       stream.Name
	)
	for i := range rows {
		row := &rows[i]
		if row.Class != class {
			class = row.Class
			if row.Rank > rank {
				rank, limit = row.Rank, next
			}
		}
		row.SliceNs = min(row.SliceNs, limit)
		if row.SliceNs > 0 && class != unknown.Class {
			next = min(next, row.SliceNs)
		}
	}
}
