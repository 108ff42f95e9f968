# Sourced by the experiments: the table of a comparison, and the commit that it is of.
commit=$(git describe --always --dirty 2>/dev/null || echo unknown)

# Prints the table of a setting: the mean turnaround of each group, then of all requests.
table() { # FIGURES.CSV SETTING
	awk -F, -v setting="$2" '
		# A group has no classes where there are fewer than four.
		function ms(v) { return v == "" ? " |" : sprintf(" %.1f |", v) }
		function more(v, than) { return than + 0 == 0 ? " |" : sprintf(" %+.1f%% |", 100 * (v / than - 1)) }
		NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
		$1 "/" $2 "/" $3 "/" $4 != setting { next }
		!($5 in kernel) { order[++count] = $5; kernel[$5] = $6; if ($7 != "") commit = $7 }
		{ n[$8] = $9; mean[$5, $8] = $(at["mean_ns"]) / 1e6 }
		$8 == "*" { rest[$5] = sprintf(" %.1f | %.1f | %.1f | %.2f | %d |", $(at["p50_ns"]) / 1e6, $(at["p90_ns"]) / 1e6,
			$(at["p99_ns"]) / 1e6, $(at["mean_slowdown"]), $(at["switches"])) }
		END {
			split(setting, s, "/")
			printf "\n%s, %d %s, %s, seed %d, commit %s.\nMean turnaround in ms of groups 1 to 4 (%d, %d, %d and %d requests) and of all %d\n\n",
				s[1], s[2], s[2] == 1 ? "CPU" : "CPUs", s[3] == "recorded" ? "load as recorded" : s[3] "% load", s[4], commit, n[1], n[2], n[3], n[4], n["*"]
			print "| contender | kernel | 1 | 2 | 3 | 4 | all | p50 | p90 | p99 | mean slowdown | switches |"
			print "|---|---|---|---|---|---|---|---|---|---|---|---|"
			for (i = 1; i <= count; i++) {
				c = order[i]
				printf "| %s | %s |", c, kernel[c]
				for (g = 1; g <= 4; g++) printf "%s", ms(mean[c, g])
				printf "%s%s\n", ms(mean[c, "*"]), rest[c]
			}
			print "\nMean turnaround under `alps`, more or less than under:\n"
			print "| | 1 | 2 | 3 | 4 | all |"
			print "|---|---|---|---|---|---|"
			for (i = 1; i <= count; i++) {
				c = order[i]
				if (c == "alps") continue
				printf "| %s |", c
				for (g = 1; g <= 4; g++) printf "%s", more(mean["alps", g], mean[c, g])
				print more(mean["alps", "*"], mean[c, "*"])
			}
		}' "$1"
}
