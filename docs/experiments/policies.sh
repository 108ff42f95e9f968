#!/usr/bin/env bash
# All policies over the same windows: mean turnaround over that of SRPT, the mean
# of three seeds. Prints Markdown.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh
policies=srpt,gittins,alps,alps-paper,sfs,eevdf,cfs,rr,fifo

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

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

shown=${policies/alps,/alps,by-demand,by-gittins,}
heads=${shown/alps,by-demand,by-gittins/alps by wait,by demand,by gittins}
echo "| workload | CPUs | invocations | ${heads//,/ | } |"
echo "|---|---|---|$(sed 's/[^,]*,*/---|/g' <<<"$shown")"
for kind in $(published) steady poisson bursty sleeping; do
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
