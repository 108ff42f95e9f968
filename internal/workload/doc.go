// Package workload makes and measures the workloads that the schedulers are
// tried with. It is no stage of the pipeline, but what the pipeline watches.
//
// A [Trace] says which invocation arrives when and how much CPU time it takes.
// It is made by [Generate] from published figures, by [FromPublished] from a
// published trace, or by [FromRecorded] from what alps-collect recorded. The runner, a small static C program that [BuildRunner]
// compiles, replays it as processes, each born into the cgroup of its class,
// and writes what became of each invocation, which [ReadOutcomes] reads.
// [Summarize] makes the figures of that, and [Invocations] the stream for
// alps-sim. [Windows] makes that stream of a trace alone, for studies of
// workloads that need not run anywhere.
//
//	go run ./internal/cmd/alps-workload generate --classes 12 --invocations 400 >trace.csv
//	go run ./internal/cmd/alps-workload build out
//	out/alps-runner --no-cgroup trace.csv >result.csv
//	go run ./internal/cmd/alps-workload summary result.csv
//	go run ./internal/cmd/alps-workload windows trace.csv | alps-sim
package workload
