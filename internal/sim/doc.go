// Package sim is the second stage of the pipeline: it reads windows of
// invocations and writes the turns on a CPU that SRPT (shortest remaining
// processing time) would have given them.
//
// [Turns] does that for one window, [Run] for a stream. [Simulate] is below both:
// it runs jobs under a [Policy] on one engine (engine.go), exact and event-driven,
// whose cost grows with the number of jobs and turns, not with the simulated time.
// It knows nothing of streams. All of them are deterministic: the same values in
// give the same values out.
//
// Each policy stands in a file of its own and says in its doc comment what it leaves
// out: [SRPT], [FIFO], [RR], the kernel's [CFS] and [EEVDF], [SFS], [ALPS] as
// alps-load puts it into the kernel, [ALPSPaper], and [Gittins]. What is to learn
// from windows comes as tables with a time from which they hold; package compare
// makes them.
package sim
