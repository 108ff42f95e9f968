#!/usr/bin/env bash
# SRPT with mistaken predictions, of generated invocations with Poisson and with bursty
# arrivals. Prints Markdown.
set -euo pipefail
cd "$(dirname "$0")/../.."
paste -d, <(bin/alps-sim generate --invocations 4000 --seed 1 | bin/alps-sim mistakes -q) \
	<(bin/alps-sim generate --invocations 4000 --seed 1 --arrivals bursty | bin/alps-sim mistakes -q | cut -d, -f5-7) | awk -F, '
	NR == 1 { print "| predictions | Poisson arrivals | bursty |"; print "|---|---|---|"; next }
	{
		name["exact"] = "exact"; name["class-mean"] = "the mean of the class"
		name["fair"] = "none: fair shares, 1 ms each"; name["fifo"] = "none: first come, first served"
		what = $1 == "within" ? "wrong by up to " $2 "%" : $1 == "random" ? $2 "% of them random" : name[$1]
		printf "| %s | %s | %s |\n", what, spread($5, $6, $7), spread($8, $9, $10)
	}
	function spread(mean, least, most) {
		return least == most ? sprintf("%.2f", mean) : sprintf("%.2f (%.2f to %.2f)", mean, least, most)
	}'
