// Package gittins orders invocations of which only the distribution of their
// class's CPU demand is known: by the Gittins index, which gives the shortest mean
// turnaround on one CPU when invocations come at random (M/G/1 with preemption).
//
// A class's demands as seen become a [Distribution]. It tells the rank of an
// invocation that has had so much CPU time, for a simulator that follows it
// exactly.
//
// # The index
//
// For an invocation of demand X that has had a ns,
//
//	G(a) = sup over d > 0 of P(X-a <= d | X > a) / E[min(X-a, d) | X > a]
//
// the most completions for the CPU time that any quantum d can give. The rank here
// is 1/G, in ns, and the lowest is served first; as in Scully and Harchol-Balter,
// "The Gittins Policy in the M/G/1 Queue", 2021; Aalto, Ayesta and Righter, "On the
// Gittins index in the M/G/1 queue", 2009, has the index and the proof.
//
// Of samples, the best quantum ends at one of them. If j of n are at most the
// sample x_j, serving all up to there takes C(j) = x_1 + … + x_j + (n-j) x_j, so 1/G
// is the least slope from where the invocation is to the points (j, C(j)) ahead, and
// the point is on their lower convex hull: O(n log n) once, O(log n) for each a.
//
// An invocation that has outlived all samples is ranked as if it needed as much
// again, which is 1/G where the chance to live on falls as 1/a (Pareto). The rank is
// held from one doubling of the longest sample to the next; so it changes for the
// worse at samples and doublings only.
package gittins
