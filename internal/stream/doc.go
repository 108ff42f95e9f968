// Package stream reads and writes the three CSV streams that the tools
// exchange: invocations (alps-collect to alps-sim), turns (alps-sim to
// alps-tune) and policy (alps-tune to alps-load). docs/pipeline.md is the
// contract; this package is the only place that knows the columns.
package stream
