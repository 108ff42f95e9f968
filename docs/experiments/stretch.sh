#!/usr/bin/env bash
# What alps comes to with other stretches: its mean turnaround over SRPT's, and that
# of the class with the longest demand over EEVDF's, the means of three seeds. Prints
# Markdown.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh
stretches="1 2 4 8 0"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints "stretch mean longest" for all stretches.
ratios() { # KIND CPUS
	local seed stretch
	for seed in 1 2 3; do
		make_windows "$1" "$2" "$seed"
		for stretch in $stretches; do
			bin/alps-sim compare -q --policies srpt,eevdf,alps --skip "$skip" --history 100 --stretch "$stretch" "$work/windows.csv" |
				awk -F, -v stretch="$stretch" '
					NR > 1 { mean[$1, $2] = $4 }
					$1 == "srpt" && $2 != "*" { longest = $2 } # classes come by their mean under it
					END { print stretch, mean["alps", "*"] / mean["srpt", "*"], mean["alps", longest] / mean["eevdf", longest] }'
		done
	done | awk '{ mean[$1] += $2 / 3; longest[$1] += $3 / 3 } END { for (s in mean) print s, mean[s], longest[s] }'
}

heads=$(for s in $stretches; do printf ' %s | longest |' "$s"; done)
echo "| workload | CPUs |$heads" | sed 's/ 0 |/ strict |/'
echo "|---|---|$(for _ in $stretches; do printf -- '---|---|'; done)"
for kind in $(published) poisson bursty; do
	for cpus in 1 2 4; do
		ratios "$kind" $cpus | awk -v kind="$kind" -v cpus=$cpus -v stretches="$stretches" '
			{ mean[$1] = $2; longest[$1] = $3 }
			END {
				printf "| %s | %d |", kind, cpus
				n = split(stretches, s, " ")
				for (i = 1; i <= n; i++) printf " %.2f | %.2f |", mean[s[i]], longest[s[i]]
				print ""
			}'
	done
done
