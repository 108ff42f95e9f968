#!/usr/bin/env bash
# The main comparison for functions of one's own, from invocations that alps-collect has
# recorded: simulated at once, then in the virtual machine. Prints Markdown; your-functions.md
# says how to read it.
#
#   your-functions.sh [--simulate] [--out DIR] [--cpus N] [--utilisation PCT] [--sample 1/N] [--limit N] FILE
#
#   --simulate           only simulate
#   --out DIR            where tables, figures and pictures go (out/your-functions)
#   --cpus N             other CPUs than in the recording
#   --utilisation PCT    scale the gaps between arrivals so that the CPUs are so busy
#   --sample, --limit    take a part, as alps-workload replay does
set -euo pipefail
me=your-functions.sh
wrong() {
	echo "$me: $*; usage: $me [--simulate] [--out DIR] [--cpus N] [--utilisation PCT] [--sample 1/N] [--limit N] FILE" >&2
	exit 2
}
simulate='' out='' cpus='' load=recorded changes=() file=''
while [ $# -gt 0 ]; do
	case $1 in
	--simulate) simulate=1 && shift && continue ;;
	--out | --cpus | --utilisation | --sample | --limit) [ $# -gt 1 ] || wrong "$1 takes a value" ;;
	-*) wrong "there is no flag $1" ;;
	*) [ -z "$file" ] || wrong "one file at a time"; file=$1 && shift && continue ;;
	esac
	case $1 in
	--out) out=$(realpath -m "$2") ;;
	--cpus) cpus=$2 ;;
	--utilisation) load=$2 ;;
	*) changes+=("$1" "$2") ;;
	esac
	shift 2
done
[ -n "$file" ] || wrong "which file?"
file=$(realpath -e "$file")
cd "$(dirname "$0")/../.."
. docs/experiments/table.sh
[ -x bin/alps-workload ] || { echo "$me: the tools are not built: make build" >&2 && exit 1; }
out=${out:-$PWD/out/your-functions}

# CPUs stand behind the cells that may have commas.
[ -n "$cpus" ] || cpus=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "cpus") back = NF - i + 1; next }
	back && NF { print $(NF - back + 1); exit }' "$file")
[[ $cpus =~ ^[1-9][0-9]{0,4}$ ]] || { echo "$me: $file does not say how many CPUs there were: --cpus N" >&2 && exit 1; }
if [ -z "$simulate" ] && [ "$cpus" -gt 4 ]; then
	echo "$me: $cpus CPUs are more than the 4 of the virtual machine: --simulate, or --cpus 1 --utilisation 90" >&2
	exit 1
fi
setting=yours/$cpus/$load/1
scale=(--cpus "$cpus")
[ "$load" = recorded ] || scale+=(--utilisation "$load")

# Runs that are done are kept, and must not be taken for those of others.
of="$(sha256sum <"$file") ${changes[*]}"
mkdir -p "$out"
if [ -e "$out/runs" ] && [ "$of" != "$(cat "$out/recording.txt")" ]; then
	echo "$me: $out has runs of another recording or part: --out another, or remove it" >&2
	exit 1
fi
echo "$of" >"$out/recording.txt"

bin/alps-workload replay "${scale[@]}" "${changes[@]}" "$file" >"$out/trace.csv"
awk -F, -v cpus="$cpus" 'NR > 1 { n++; cpu += $3 / 1e9; if (!($2 in class)) classes++; class[$2]; last = $1 / 1e9 }
	END { printf "%d invocations of %d classes, %.1f s of CPU time in %.1f s: %.0f%% of %d %s\n",
		n, classes, cpu, last, 100 * cpu / cpus / (last * n / (n - 1 ? n - 1 : 1) + 1e-9), cpus, cpus == 1 ? "CPU" : "CPUs" }' "$out/trace.csv"

# What was recorded is simulated as it is; what was changed, as collected where nobody waits,
# in windows of a minute, or less so that there are four.
invocations=$file
if [ "$load" != recorded ] || [ ${#changes[@]} -gt 0 ]; then
	invocations=$out/invocations.csv
	window=$(awk -F, 'END { s = int($1 / 4e9) + 1; print (s < 60 ? s : 60) "s" }' "$out/trace.csv")
	bin/alps-workload windows --cpus "$cpus" --window "$window" "$out/trace.csv" >"$invocations"
fi
bin/alps-sim compare -q --cpus "$cpus" --policies srpt,cfs,eevdf,sfs,alps-paper,alps --history 4 \
	--plot "$out/simulated.svg" "$invocations" >"$out/simulated-classes.csv"
# In place of the classes, four groups: a quarter each, which stand in order of their CPU time.
# From the right, since names may have commas.
awk -F, -v OFS=, -v setting="${setting//\//,}" -v commit="$commit" '
	function flush(  g, i) {
		for (i = 1; i < rows; i++) {
			g = int((i - 1) * 4 / (rows - 1)) + 1
			n[g] += count[i]; sum[g] += count[i] * mean[i]
		}
		for (g = 1; g <= 4; g++) if (n[g]) print setting, policy, "simulated", commit, g, n[g], sprintf("%.0f", sum[g] / n[g]), "", "", "", "", ""
		if (rows) print setting, policy, "simulated", commit, all
		rows = 0; split("", n); split("", sum)
	}
	NR == 1 { print "workload,cpus,load_pct,seed,contender,kernel,commit,group,n,mean_ns,p50_ns,p90_ns,p99_ns,mean_slowdown,switches"; next }
	$1 != policy { flush(); policy = $1 }
	{ rows++; count[rows] = $(NF - 6); mean[rows] = $(NF - 5); all = $0; sub(/^[^,]*,/, "", all) }
	END { flush() }' "$out/simulated-classes.csv" >"$out/simulated.csv"
table "$out/simulated.csv" "$setting" | tee "$out/simulated.md"

if [ -z "$simulate" ]; then
	RUNS=$out/runs RESULTS=$out WORKLOADS=yours YOURS=$file REPLAY="${changes[*]}" CPUS=$cpus LOADS=$load SEEDS=1 \
		docs/experiments/main.sh
fi
echo "$me: tables (.md), figures (.csv) and pictures (.svg) are in $out" >&2
