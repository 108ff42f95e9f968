// Package tune is the third stage of the pipeline: it reads windows of the
// turns that SRPT would have given and writes, for each of them, the policy to
// schedule by: a rank and a time slice for each class.
//
// A [Tuner] goes from window to policy; [Run] applies one to a stream. The
// rules for slices are those of the ALPS paper (rules.go); what a class is expected
// to need next is up to a [Predictor], and which class goes first to [RankBy].
//
// Everything is computed in float64 and rounded once, when a value is put into
// a row: to the nearest nanosecond, halves up. Equal windows give equal
// policies on every machine.
package tune
