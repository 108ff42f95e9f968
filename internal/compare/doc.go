// Package compare answers what a scheduling policy would do for one's own
// functions: it simulates several policies over the same recorded windows of
// the invocations stream and makes the figures of all of them. It is behind
// alps-sim compare, mistakes and groups, and writes CSV that is no stream of
// the pipeline.
//
// [Read] makes one [Timeline] of all windows. [Policies] turns names into
// policies, [Timeline.Simulate] runs one, [Timeline.Figures] makes the rows of
// a table of what it did, by class and in all. [Recording] makes of a timeline
// what can be run again for real.
package compare
