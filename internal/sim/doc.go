// Package sim is the second stage of the pipeline: it reads windows of
// invocations and writes the turns on a CPU that SRPT (shortest remaining
// processing time) would have given them.
//
// The engine, [SRPT], is exact and event-driven: its cost grows with the
// number of invocations and turns, not with the simulated time. It knows
// nothing of streams. [Turns] applies it to one window, [Run] to a stream.
// All of them are deterministic: the same values in give the same values out.
//
// The other scheduling policies stand next to SRPT in a file each, with the type
// [Policy]: [FIFO], [RR], and the kernel's own, [CFS] and [EEVDF]. Checking the
// jobs, ordering them by arrival and grouping the turns by job is common to all
// (sim.go).
package sim
