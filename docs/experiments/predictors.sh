#!/usr/bin/env bash
# All predictors on one CPU: how far off their slices are, and what alps and
# alps-paper come to with them, the means of three seeds. Prints Markdown.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

kinds="$(published) steady poisson bursty"
for kind in $kinds; do
	for seed in 1 2 3; do
		make_windows "$kind" 1 $seed
		bin/alps-sim "$work/windows.csv" >"$work/turns.csv"
		bin/alps-tune evaluate -q --skip "$skip" --history 100 "$work/turns.csv" | sed "s/^/$kind,alps,/"
		bin/alps-tune evaluate -q --skip "$skip" --history 100 --policy alps-paper --rank-by wait "$work/turns.csv" | sed "s/^/$kind,alps-paper,/"
	done
done | awk -F, -v kinds="$kinds" '
	$4 != "*" { next }
	{
		if (!($3 in seen)) { seen[$3] = 1; predictors[++count] = $3 }
		at = $1 SUBSEP $3
		if ($2 == "alps") { error[at] += $8 / 3; bias[at] += $9 / 3; within[at] += $10 / 3 }
		ratio[$2, at] += $14 / 3
	}
	END {
		n = split(kinds, kind, " ")
		table("error, % of the turn (bias)", "error")
		table("turns within 20%", "within")
		table("mean turnaround under `alps`, over SRPT", "alps")
		table("mean turnaround under `alps-paper`, over SRPT", "alps-paper")
	}
	function table(head, what, i, k, at) {
		printf "\n| %s |", head
		for (k = 1; k <= n; k++) printf " %s |", kind[k]
		printf "\n|---|"
		for (k = 1; k <= n; k++) printf "---|"
		print ""
		for (i = 1; i <= count; i++) {
			printf "| %s |", predictors[i]
			for (k = 1; k <= n; k++) {
				at = kind[k] SUBSEP predictors[i]
				if (what == "error") printf " %.0f (%+.0f) |", error[at], bias[at]
				else if (what == "within") printf " %.0f%% |", within[at]
				else printf " %.3f |", ratio[what, at]
			}
			print ""
		}
	}'
