#!/usr/bin/env bash
# What the length of the windows is worth: the same requests in windows of 5 s to
# 10 min, of which the first 10 min only teach. Mean turnaround under alps over
# SRPT's, of all and of the shortest quarter of the classes: the means of three seeds,
# and the least and the most. Prints Markdown.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh
read -ra kinds <<<"${KINDS:-$(published) poisson bursty}"
read -ra seeds <<<"${SEEDS:-1 2 3}"
lengths="5 10 30 60 120 300 600" # s
teach=600

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints "all short", the ratios of a policy.
ratios() { # POLICY FLAG…
	local policy=$1
	shift
	bin/alps-sim compare -q --policies "srpt,$policy" --skip "$skip" "$@" "$work/windows.csv" | awk -F, -v policy="$policy" '
		$2 == "*" { all[$1] = $4; next }
		NR > 1 { sum[$1, ++classes[$1]] = $3 * $4 } # by mean demand, the shortest first
		END {
			for (c = 1; 4 * c <= classes["srpt"]; c++) { srpt += sum["srpt", c]; short += sum[policy, c] }
			print all[policy] / all["srpt"], short / srpt
		}'
}

for kind in "${kinds[@]}"; do
	for seed in "${seeds[@]}"; do
		make_trace "$kind" "$seed"
		for length in $lengths; do
			bin/alps-workload windows --window "${length}s" "$work/trace.csv" >"$work/windows.csv"
			# Windows in which nobody lived are not there.
			skip=$(awk -F, -v teach=$teach 'NR > 1 && $1 < teach * 1000 && !($1 in seen) { seen[$1]; n++ } END { print n }' "$work/windows.csv")
			echo "$kind 1 $length $(ratios alps --history 1)"
			echo "$kind 2 $length $(ratios alps --history $((teach / length)))"
			echo "$kind 3 $length $(ratios alps --history $((teach / length)) --stretch 0)"
		done
		echo "$kind eevdf 0 $(ratios eevdf)"
	done
done | awk -v lengths="$lengths" '
	!($1 in seen) { seen[$1] = 1; kind[++kinds] = $1 }
	{ add($1 SUBSEP $2 SUBSEP $3 SUBSEP "all", $4); add($1 SUBSEP $2 SUBSEP $3 SUBSEP "short", $5) }
	END {
		count = split(lengths, length_, " ")
		rows("all"); rows("short")
	}
	function add(at, ratio) {
		least[at] = n[at] && least[at] < ratio ? least[at] : ratio
		most[at] = most[at] > ratio ? most[at] : ratio
		sum[at] += ratio; n[at]++
	}
	function cell(at) { printf " %.2f (%.2f to %.2f) |", sum[at] / n[at], least[at], most[at] }
	function rows(whose, k, l, h, learnt) {
		printf "\n| %s | learnt from |", whose == "all" ? "all classes" : "short classes"
		for (l = 1; l <= count; l++) printf length_[l] < 60 ? " %d s |" : " %d min |", length_[l] / (length_[l] < 60 ? 1 : 60)
		printf " EEVDF |\n|---|---|---|"
		for (l = 1; l <= count; l++) printf "---|"
		print ""
		split("the last window,the last 10 min,the last 10 min; strict", learnt, ",")
		for (k = 1; k <= kinds; k++) for (h = 1; h in learnt; h++) {
			printf "| %s | %s |", kind[k], learnt[h]
			for (l = 1; l <= count; l++) cell(kind[k] SUBSEP h SUBSEP length_[l] SUBSEP whose)
			cell(kind[k] SUBSEP "eevdf" SUBSEP 0 SUBSEP whose)
			print ""
		}
	}'
