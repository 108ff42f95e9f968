#!/usr/bin/env bash
# Functions that mostly sleep: a class that runs for 1 ms and sleeps for 10 ms until it
# has used 500 ms, beside classes of 20 ms and 3 s of CPU time, each a third of a load of
# 90%, on one CPU for two minutes; Poisson arrivals. A run of alps-demo in virtual time
# for each seed. Prints Markdown: the mean turnaround of each class over that under the
# kernel's own scheduler, and over SRPT's.
#
#   SEEDS="1 2 3" KERNEL=newest sleepers.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The arrivals of a class, whose gaps are exponential with a mean.
arrivals() { # SEED CLASS CPU_MS SLEEP_MS SLEEPS
	awk -v seed="$1$3" -v class="$2" -v cpu="$3" -v sleep="$4" -v sleeps="$5" 'BEGIN {
		srand(seed)
		while ((at -= log(1 - rand()) * cpu * 1e6 / 0.3) < 120e9)
			printf "%.0f,%s,%.0f,%.0f,%d\n", at, class, cpu * 1e6, sleep * 1e6, sleeps
	}'
}

echo "| seed | class | n | mean / kernel | mean / SRPT |"
echo "|---|---|---|---|---|"
for seed in ${SEEDS:-1 2 3}; do
	{
		echo arrival_ns,class,cpu_ns,sleep_ns,sleeps
		{ arrivals "$seed" short 20 0 0; arrivals "$seed" sleeper 500 10 499; arrivals "$seed" long 3000 0 0; } | sort -n
	} >"$work/trace.csv"
	bin/alps-demo --kernel "${KERNEL:-newest}" --trace "$work/trace.csv" --out "$work/out" >&2
	bin/alps-sim compare -q --policies srpt --measured kernel="$work/out/kernel-result.csv" \
		--measured alps="$work/out/alps-result.csv" --skip 0 "$work/out/srpt-invocations.csv" |
		awk -F, -v seed="$seed" '
			NR > 1 { n[$2] = $3; mean[$1, $2] = $4 }
			END {
				split("short sleeper long *", class, " ")
				for (i = 1; i <= 4; i++) printf "| %d | %s | %d | %.2f | %.2f |\n", seed, class[i] == "*" ? "all" : class[i],
					n[class[i]], mean["alps", class[i]] / mean["kernel", class[i]], mean["alps", class[i]] / mean["srpt", class[i]]
			}'
done
