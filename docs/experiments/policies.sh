#!/usr/bin/env bash
# All policies over the same windows: mean turnaround over that of SRPT, the mean
# of three seeds. Prints Markdown. The published traces are not part of this
# project: ALPS_TRACES says where they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
traces=${ALPS_TRACES:-../shared/traces}
policies=srpt,gittins,alps,alps-paper,sfs,eevdf,cfs,rr,fifo

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Makes $work/windows.csv of a workload, and sets skip to how many of its windows
# only teach. Arguments: its kind, CPUs, seed.
make_windows() {
	local kind=$1 cpus=$2 seed=$3
	skip=2
	case $kind in
	alps-huawei | alps-azure | sfs)
		# One sample of the trace teaches, another one is judged.
		for s in $((2 * seed - 1)) $((2 * seed)); do
			bin/alps-workload trace --format "${kind%-*}" --demands "$traces/demands.csv" --sample 1/$((24 / cpus)) \
				--cpus "$cpus" --seed "$s" "$traces/$kind.txt" >"$work/$((s % 2)).csv"
		done
		skip=$(tail -n 1 "$work/1.csv" | awk -F, '{ print int($1 / 60e9) + 1 }')
		awk -F, -v OFS=, -v skip="$skip" 'FNR == 1 { file++ } FNR == 1 && file == 2 { next }
			file == 2 { $1 = sprintf("%.0f", $1 + skip * 60e9) } { print }' "$work/1.csv" "$work/0.csv" |
			bin/alps-workload windows --cpus "$cpus" >"$work/windows.csv"
		;;
	sleeping)
		bin/alps-sim generate --invocations $((2000 * cpus)) --cpus "$cpus" --seed "$seed" \
			--sleep-share 0.5 --sleeps 5 >"$work/windows.csv"
		;;
	*)
		bin/alps-sim generate --invocations $((2000 * cpus)) --cpus "$cpus" --seed "$seed" \
			--arrivals "$kind" >"$work/windows.csv"
		;;
	esac
}

# Prints "policy n ratio" for all policies, "by-demand n ratio" and "by-gittins n
# ratio": sums of the invocations, means of the ratios.
ratios() { # KIND CPUS
	local seed by
	for seed in 1 2 3; do
		make_windows "$1" "$2" "$seed"
		bin/alps-sim compare -q --policies $policies --baseline srpt --skip "$skip" --history 100 --rank-by wait "$work/windows.csv"
		for by in demand gittins; do
			bin/alps-sim compare -q --policies srpt,alps --baseline srpt --skip "$skip" --history 100 --rank-by $by "$work/windows.csv" |
				sed -n "s/^alps,/by-$by,/p"
		done
	done | awk -F, '$2 == "*" { n[$1] += $3; sum[$1] += $10 } END { for (p in n) print p, n[p], sum[p] / 3 }'
}

if [ -e "$traces/demands.csv" ]; then
	kinds="alps-huawei alps-azure sfs"
else
	kinds=
	echo "$0: no published traces in $traces (set ALPS_TRACES to their directory); only generated workloads" >&2
fi
shown=${policies/alps,/alps,by-demand,by-gittins,}
heads=${shown/alps,by-demand,by-gittins/alps by wait,by demand,by gittins}
echo "| workload | CPUs | invocations | ${heads//,/ | } |"
echo "|---|---|---|$(sed 's/[^,]*,*/---|/g' <<<"$shown")"
for kind in $kinds steady poisson bursty sleeping; do
	for cpus in 1 2 4; do
		ratios "$kind" $cpus | awk -v kind="$kind" -v cpus=$cpus -v shown="$shown" '
			{ n = $2; ratio[$1] = $3 }
			END {
				printf "| %s | %d | %d |", kind, cpus, n
				count = split(shown, names, ",")
				for (i = 1; i <= count; i++) printf " %.2f |", ratio[names[i]]
				print ""
			}'
	done
done
