#!/usr/bin/env bash
# All policies over the same windows: mean turnaround over that of SRPT, the mean
# of three seeds. Prints Markdown. The published traces are not part of this
# project: ALPS_TRACES says where they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
traces=${ALPS_TRACES:-../shared/traces}
policies=srpt,gittins,alps,alps-paper,sfs,eevdf,cfs,rr,fifo

# Prints the windows of a workload. Arguments: its kind, CPUs, seed.
windows() {
	local kind=$1 cpus=$2 seed=$3 sample
	case $kind in
	alps-huawei | alps-azure | sfs)
		sample=1/$((24 / cpus))
		bin/alps-workload trace --format "${kind%-*}" --demands "$traces/demands.csv" --sample "$sample" \
			--cpus "$cpus" --seed "$seed" "$traces/$kind.txt" |
			bin/alps-workload windows --cpus "$cpus" --window 10s
		;;
	sleeping)
		bin/alps-sim generate --invocations $((2000 * cpus)) --cpus "$cpus" --seed "$seed" --sleep-share 0.5 --sleeps 5
		;;
	*)
		bin/alps-sim generate --invocations $((2000 * cpus)) --cpus "$cpus" --seed "$seed" --arrivals "$kind"
		;;
	esac
}

# Prints "policy n ratio" for each policy.
ratios() { # KIND CPUS RANK
	local seed
	for seed in 1 2 3; do
		windows "$1" "$2" "$seed" |
			bin/alps-sim compare -q --policies $policies --baseline srpt --skip 2 --history 100 --rank-by "$3"
	done | awk -F, '$2 == "*" { n[$1] += $3; sum[$1] += $10 } END { for (p in n) print p, n[p], sum[p] / 3 }'
}

if [ -e "$traces/demands.csv" ]; then
	kinds="alps-huawei alps-azure sfs"
else
	kinds=
	echo "$0: no published traces in $traces (set ALPS_TRACES to their directory); only generated workloads" >&2
fi
echo "| workload | CPUs | invocations | ${policies//,/ | } | alps by demand |"
echo "|---|---|---|${policies//[^,]/---|}---|---|"
for kind in $kinds steady poisson bursty sleeping; do
	for cpus in 1 2 4; do
		by_demand=$(ratios "$kind" $cpus demand | awk '$1 == "alps" { printf "%.2f", $3 }')
		ratios "$kind" $cpus wait | awk -v kind="$kind" -v cpus=$cpus -v policies=$policies -v last="$by_demand" '
			{ n = $2; ratio[$1] = $3 }
			END {
				printf "| %s | %d | %d |", kind, cpus, n
				count = split(policies, names, ",")
				for (i = 1; i <= count; i++) printf " %.2f |", ratio[names[i]]
				printf " %s |\n", last
			}'
	done
done
