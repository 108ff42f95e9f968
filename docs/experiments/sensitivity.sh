#!/usr/bin/env bash
# What alps and alps-paper come to where one number of alps-tune is not its default,
# by load: the means of three seeds. Prints Markdown.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

kinds="$(published | cut -d' ' -f1) poisson"
loads="50 80 90 100"
settings="default
alpha 0 0.5 1.5 2
beta 0 0.5 2
theta 0 25 75 100
gamma 0.5 2 4
inertia 0 0.6
history 1 10"

# Prints "policy setting ratio" for all settings.
try() {
	while read -r name values; do
		for value in ${values:-=}; do
			flags=(--history 100)
			[ "$name" = default ] || flags+=(--"$name" "$value")
			for policy in "alps --rank-by gittins" "alps-paper --rank-by wait"; do
				# shellcheck disable=SC2086 # several words
				bin/alps-tune evaluate -q --skip "$skip" --predictors mean "${flags[@]}" --policy $policy "$work/turns.csv" |
					awk -F, -v policy="${policy%% *}" -v setting="$name $value" '$2 == "*" { print policy "," setting "," $12 }'
			done
		done
	done <<<"$settings"
}

for kind in $kinds; do
	for load in $loads; do
		for seed in 1 2 3; do
			make_windows "$kind" 1 $seed "$load"
			bin/alps-sim "$work/windows.csv" >"$work/turns.csv"
			try | sed "s/^/$kind,$load,/"
		done
	done
done | awk -F, -v kinds="$kinds" -v loads="$loads" '
	{
		if (!($4 in seen)) { seen[$4] = 1; settings[++count] = $4 }
		ratio[$1, $2, $3, $4] += $5 / 3
	}
	END {
		n = split(kinds, kind, " "); m = split(loads, load, " ")
		table("alps"); table("alps-paper")
	}
	function table(policy, i, k, l) {
		printf "\n| `%s` |", policy
		for (k = 1; k <= n; k++) for (l = 1; l <= m; l++) printf " %s, %d%% |", kind[k], load[l]
		printf "\n|---|"
		for (k = 1; k <= n * m; k++) printf "---|"
		print ""
		for (i = 1; i <= count; i++) {
			printf "| %s |", settings[i] == "default =" ? "as it is" : settings[i]
			for (k = 1; k <= n; k++) for (l = 1; l <= m; l++) printf " %.3f |", ratio[kind[k], load[l], policy, settings[i]]
			print ""
		}
	}'
