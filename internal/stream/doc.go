// Package stream reads and writes the three CSV streams that the tools
// exchange: invocations (alps-collect to alps-sim), turns (alps-sim to
// alps-tune) and policy (alps-tune to alps-load), and the file that alps-tune
// keeps its state in. docs/pipeline.md is the contract; this package is the only
// place that knows the columns.
//
// gocsv maps cells to structs through the cell types, which are strict where
// gocsv is not, and structs of their texts to cells. What gocsv does not do is done around it: checking the header,
// finding the windows, telling the line. Its process-wide switches are left
// alone.
//
// gocsv takes most of the time, and works on all CPUs: see [Reader.Each]
// and [Writer.WriteFunc] for windows of millions of rows. Lines without quotes
// are cut and joined here, all others by encoding/csv.
package stream
