#!/usr/bin/env bash
# ALPS in the kernel, against the kernel's own scheduler and SRPT, on the published
# traces: a run of alps-demo in virtual time for each workload, number of CPUs and
# seed. Prints Markdown. Takes some minutes a run.
#
#   scheduler.sh [WORKLOAD/CPUS …]     default: all of them
#   SEEDS="1 2 3" KERNEL=newest        more settings
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh
runs=${*:-alps-huawei/1 alps-huawei/2 alps-huawei/4 alps-azure/1}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of classes by their mean under SRPT: the first five are the shortest.
figures() { # FILE…
	awk -F, '
		NR > 1 { mean[$1, $2] = $4; p99[$1, $2] = $7; switches[$1, $2] = $9 }
		$1 == "srpt" && $2 != "*" { class[++n] = $2 }
		END {
			for (i = 1; i <= 5; i++) {
				ratio = mean["alps", class[i]] / mean["srpt", class[i]]
				if (ratio > worst) worst = ratio
			}
			printf " %.2f | %.2f | %.2f | %.2f | %.2f | %.3f |\n", mean["alps", "*"] / mean["srpt", "*"],
				mean["alps", "*"] / mean["kernel", "*"], worst, mean["alps", class[n]] / mean["kernel", class[n]],
				p99["alps", class[n]] / p99["kernel", class[n]], switches["alps", "*"] / switches["kernel", "*"]
		}' "$@"
}

echo "| workload | CPUs | seed | mean / SRPT | mean / kernel | worst of the 5 shortest / SRPT | longest / kernel | p99 of the longest / kernel | switches / kernel |"
echo "|---|---|---|---|---|---|---|---|---|"
for run in $runs; do
	workload=${run%/*} cpus=${run#*/}
	share=24 # of the requests for each CPU; of alps-azure's, 400
	[ "$workload" != alps-azure ] || share=5
	for seed in ${SEEDS:-1 2 3}; do
		bin/alps-workload trace --format "${workload%-*}" --demands "$traces/demands.csv" --sample 1/$((share / cpus)) \
			--cpus "$cpus" --seed "$seed" --utilisation 90 "$traces/$workload.txt" >"$work/trace.csv"
		bin/alps-demo --kernel "${KERNEL:-newest}" --cpus "$cpus" --trace "$work/trace.csv" --out "$work/out" >&2
		printf '| %s | %d | %d |' "$workload" "$cpus" "$seed"
		bin/alps-sim compare -q --policies srpt --measured kernel="$work/out/kernel-result.csv" \
			--measured alps="$work/out/alps-result.csv" --skip 0 "$work/out/srpt-invocations.csv" | figures
	done
done
