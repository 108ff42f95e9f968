#!/usr/bin/env bash
# What the loop costs, on this machine: from a window's end to its policy, and CPU time,
# of alps-sim | alps-tune as a stream and started anew (cold), by size of the window; and
# of alps-collect before them, on real processes. alps-load is left out: it needs a
# kernel with sched_ext. Prints Markdown and keeps it in results/loop.
#
#   RUNS=21 docs/experiments/loop.sh    windows measured of each
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=${RUNS:-21}
out=docs/experiments/results/loop
mkdir -p $out

{
	echo "commit $(git describe --always --dirty 2>/dev/null || echo unknown), $(nproc) cores ($(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo))," \
		"load average $(cut -d' ' -f1 /proc/loadavg) as it began"
	${GO:-go} test -run '^$' -bench Loop -benchtime "${runs}x" -timeout 60m ./cmd/alps-tune | grep -E '^(cpu:|Benchmark|---|    |FAIL)'
	echo "load average $(cut -d' ' -f1 /proc/loadavg) as it ended"
} >$out/bench.txt

awk -v runs="$runs" '
	/^commit/ { began = $0 } /^load/ { ended = $0 }
	/^BenchmarkLoop/ {
		split($1, part, /[\/=-]/) # BenchmarkLoop, kind, invocations, N, classes, N, CPUs
		kind = part[2]; size = part[4] " " part[6]
		if (kind == "stream") sizes[++count] = size
		if (kind == "live") size = ""
		for (i = 3; i < NF; i += 2) of[kind, size, $(i + 1)] = $i
	}
	END {
		printf "Measured on %s, %s. Times in ms: the median of %d windows (least to most).\n", began, ended, runs
		print "\n| invocations | classes | stream: window'"'"'s end to policy | from its last row | CPU of alps-sim | of alps-tune | cold: start to end | CPU of alps-sim | of alps-tune |"
		print "|---|---|---|---|---|---|---|---|---|"
		for (i = 1; i <= count; i++) {
			split(sizes[i], n, " ")
			print "| " n[1] " | " n[2] cell("stream", sizes[i], "ms") cell("stream", sizes[i], "after-last-row-ms") \
				cell("stream", sizes[i], "sim-cpu-ms") cell("stream", sizes[i], "tune-cpu-ms") \
				cell("cold", sizes[i], "ms") cell("cold", sizes[i], "sim-cpu-ms") cell("cold", sizes[i], "tune-cpu-ms") " |"
		}
		if (!(("live", "", "ms") in of)) { print "\nalps-collect was not measured: it needs root, and eBPF."; exit }
		print "\n| invocations | classes | live: window'"'"'s end to last row of alps-collect | to policy | CPU of alps-collect | of alps-sim | of alps-tune |"
		print "|---|---|---|---|---|---|---|"
		printf "|%s | 100", substr(cell("live", "", "invocations"), 3)
		print cell("live", "", "collect-ms") cell("live", "", "ms") cell("live", "", "collect-cpu-ms") cell("live", "", "sim-cpu-ms") cell("live", "", "tune-cpu-ms") " |"
	}
	function cell(kind, size, unit) {
		return sprintf(" | %.0f (%.0f to %.0f)", of[kind, size, unit], of[kind, size, unit "-least"], of[kind, size, unit "-most"])
	}' $out/bench.txt | tee $out/table.md
