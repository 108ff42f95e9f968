#!/usr/bin/env bash
# How long ALPS takes to adapt: in the middle of a workload, half of the classes swap
# demands, short ones with long ones. Mean turnaround of what arrives in each window
# after that, over SRPT's, the mean of three seeds. Prints Markdown.
#
# The shift is made by names alone: the requests are the same with and without it, so
# that without it is what there would have been. Policies that know no classes are
# the same in both.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh
read -ra kinds <<<"${KINDS:-$(published) poisson bursty}"
read -ra seeds <<<"${SEEDS:-1 2 3}"
shown=8 # windows after the shift
# What is learnt from, and the flags of it. The first is what there is to compare with.
learning=("1|--history 1" "4|--history 4" "4, drift|--history 4 --drift" "all|--history 100" "all, drift|--history 100 --drift")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Renames in the second half of the trace: of the classes by mean demand in the first
# half, the 1st and the last, the 3rd and the last but two, and so on swap.
shift_trace() {
	awk -F, -v OFS=, -v at="$at" '
		FNR == 1 { file++; if (file == 2) pair(); else next }
		file == 1 { if ($1 < at) { n[$2]++; sum[$2] += $3 } next }
		FNR > 1 && $1 >= at && $2 in other { $2 = other[$2] }
		{ print }
		function pair(c, i, j, k, name) {
			for (c in n) {
				for (i = k++; i > 0 && sum[c] / n[c] < sum[name[i]] / n[name[i]]; i--) name[i + 1] = name[i]
				name[i + 1] = c
			}
			for (i = 1; 2 * i < k + 1; i += 2) { j = k + 1 - i; other[name[i]] = name[j]; other[name[j]] = name[i] }
		}' "$work/trace.csv" "$work/trace.csv"
}

# Prints "NAME,window,sum" of all policies: windows count from 1, the one that begins
# with the shift; 0 is all before, but for the first two, which only teach.
by_window() { # POLICIES NAME FLAG… FILE
	local policies=$1 name=$2
	shift 2
	bin/alps-sim compare -q --policies "$policies" --skip 2 --outcomes "$work/outcomes.csv" "$@" >/dev/null
	awk -F, -v at="$at" -v name="$name" '
		NR > 1 { sum[(name ? name : $1 "-same") "," ($3 < at ? 0 : 1 + int(($3 - at) / 60e9))] += $5 }
		END { for (k in sum) printf "%s,%.0f\n", k, sum[k] }' "$work/outcomes.csv"
}

for kind in "${kinds[@]}"; do
	for seed in "${seeds[@]}"; do
		make_trace "$kind" "$seed"
		at=$(tail -n 1 "$work/trace.csv" | awk -F, '{ printf "%.0f", int($1 / 120e9) * 60e9 }')
		bin/alps-workload windows "$work/trace.csv" >"$work/same.csv"
		shift_trace | bin/alps-workload windows >"$work/shifted.csv"
		{
			by_window srpt,eevdf,cfs "" "$work/same.csv"
			for i in "${!learning[@]}"; do
				for workload in same shifted; do
					# shellcheck disable=SC2086 # several words
					by_window alps "$i-$workload" ${learning[i]#*|} "$work/$workload.csv"
				done
			done
		} | sed "s/^/$kind,$seed,/"
	done
done | awk -F, -v shown=$shown -v learning="$(printf '%s\n' "${learning[@]%|*}")" '
	!($1 in seen) { seen[$1] = 1; kind[++kinds] = $1 }
	{ sum[$1, $2, $3, $4] = $5; seeds = $2 > seeds ? $2 : seeds }
	END {
		rows = split("eevdf\ncfs\n" learning, label, "\n")
		for (k = 1; k <= kinds; k++) {
			printf "\n| `%s` | before |", kind[k]
			for (w = 1; w <= shown; w++) printf " %d |", w
			printf " adapted after |\n|---|---|"
			for (w = 0; w <= shown; w++) printf "---|"
			print ""
			for (r = 1; r <= rows; r++) row(kind[k], r > 2 ? r - 3 : label[r], (r > 2 ? "alps, " : "") label[r])
		}
	}
	function row(kind, policy, label, w, s, cells, least, most, after, missing) {
		printf "| %s |", label
		for (w = 0; w <= shown; w++) {
			printf " %.2f", ratio(kind, policy "-same", w)
			printf (policy - 0 == policy && w > 0) ? sprintf(" → %.2f |", ratio(kind, policy "-shifted", w)) : " |"
		}
		if (policy - 0 != policy) { print " |"; return }
		least = shown + 1; most = -1
		for (s = 1; s <= seeds; s++) {
			for (after = shown; after > 0 && sum[kind, s, policy "-shifted", after] <= 1.1 * sum[kind, s, policy "-same", after]; ) after--
			least = after < least ? after : least; most = after > most ? after : most
		}
		printf " %s |\n", least == most ? windows(least) : windows(least) " to " windows(most)
	}
	function windows(n) { return n == shown ? shown " or more" : n }
	function ratio(kind, policy, w, s, total, n) {
		for (s = 1; s <= seeds; s++) if ((kind, s, "srpt-same", w) in sum) { total += sum[kind, s, policy, w] / sum[kind, s, "srpt-same", w]; n++ }
		return total / n
	}'
