#!/usr/bin/env bash
# The main comparison: who gets the same requests done how soon, each contender in the
# virtual machine on virtual time. Prints Markdown; leaves results/NAME/figures.csv and,
# for each setting, a picture there.
#
# A run that is done is not run again (out/experiments, or RUNS, has them), so a set that
# was stopped goes on where it was.
#
#   NAME=main WORKLOADS="alps-huawei …" CPUS="1 2 4" LOADS="50 70 90 110" SEEDS="1 2 3" main.sh
#
# The workload "yours" is the recorded invocations in the file YOURS, also with the load
# "recorded"; REPLAY has more flags for alps-workload replay. RUNS must be theirs alone.
#
#   RUNS=… RESULTS=… WORKLOADS=yours YOURS=FILE CPUS=1 LOADS=recorded SEEDS=1 main.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh
. docs/experiments/table.sh
name=${NAME:-main}
workloads=${WORKLOADS:-$(published) poisson}
workloads=${workloads# }
results=${RESULTS:-docs/experiments/results/$name}
runs=${RUNS:-out/experiments}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# In the order of the table: the contenders, each with the kernel that it runs on. Linux
# 6.1 does not boot in virtual time with several CPUs, so CFS is not in there, and SFS is
# on top of EEVDF.
contenders() {
	[ "$cpus" != 1 ] || echo cfs-6.1:6.1
	echo eevdf-oldest:oldest eevdf-newest:newest slices:newest
	if [ "$cpus" = 1 ]; then echo sfs:6.1; else echo sfs:oldest; fi
	echo alps-paper:newest alps-demand:newest alps:newest
}

# Makes trace.csv of a setting, the requests that all get, and teach.csv, others of the
# same kind, to learn from. Sets kind, cpus, load and seed.
make_traces() { # SETTING
	IFS=/ read -r kind cpus load seed <<<"$1"
	dir=$runs/$1
	[ ! -e "$dir/trace.csv" ] || return 0
	mkdir -p "$dir"
	local flags=()
	case $kind in
	alps-huawei | alps-azure | sfs)
		published_trace $((2 * seed - 1)) >"$dir/teach.csv"
		published_trace $((2 * seed)) >"$work/trace.csv"
		;;
	yours)
		[ "$load" = recorded ] || flags+=(--utilisation "$load")
		# shellcheck disable=SC2086 # several flags
		bin/alps-workload replay --cpus "$cpus" --seed "$seed" "${flags[@]}" ${REPLAY:-} "$YOURS" >"$work/both.csv"
		halve
		;;
	*)
		bin/alps-workload generate --invocations $((1200 * cpus)) --arrivals "$kind" --cpus "$cpus" --seed "$seed" \
			--utilisation "$load" >"$work/both.csv"
		halve
		;;
	esac
	mv "$work/trace.csv" "$dir/trace.csv"
}

# Makes both traces of one: the first half of the requests teaches.
halve() {
	awk -F, -v OFS=, -v half=$((($(wc -l <"$work/both.csv") - 1) / 2)) -v teach="$dir/teach.csv" -v trace="$work/trace.csv" '
		NR == 1 { print >teach; print >trace; next }
		NR <= half + 1 { print >teach; next }
		NR == half + 2 { first = $1 }
		{ $1 = sprintf("%.0f", $1 - first); print >trace }' "$work/both.csv"
}

published_trace() { # SEED
	bin/alps-workload trace --format "${kind%-*}" --demands "$traces/demands.csv" --sample 1/$((24 / cpus)) \
		--cpus "$cpus" --seed "$1" --utilisation "$load" "$traces/$kind.txt"
}

# Runs a contender of the setting, unless that was done.
run() { # CONTENDER KERNEL FILE…
	local contender=$1 kernel=$2 flags=() args=() file
	shift 2
	[ ! -e "$dir/$contender/result.csv" ] || return 0
	echo "$(date +%T) $dir/$contender" >&2
	for file in "$@"; do flags+=(--file "$dir/$file:/${file##*/}"); done
	for file in alps-collect alps-sim alps-tune alps-load; do flags+=(--file "bin/$file:/bin/$file"); done
	# All do the same work, whatever their own measure of a millisecond would be.
	[ "$contender" = teach ] || args+=(--loops-per-ms "$(cat "$dir/teach/loops.txt")")
	# Virtual CPUs share one stream of instructions: only clocks say how much each has had.
	[ "$cpus" = 1 ] || args+=(--by-clock)
	rm -rf "$dir/$contender.part"
	bin/alps-vm run --kernel "$kernel" --cpus "$cpus" --icount 1 --memory 1024 --timeout 1h --out "$dir/$contender.part" \
		--file "$runs/alps-runner:/bin/alps-runner" --file docs/experiments/contender.sh:/contender.sh \
		"${flags[@]}" -- sh /contender.sh "$contender" "${args[@]}" >&2
	echo "$commit" >"$dir/$contender.part/commit.txt"
	mv "$dir/$contender.part" "$dir/$contender"
}

# Puts, in place of its class, the group of each row: of four by mean demand, a quarter of
# the classes each, of the requests asked for. The class is in column 2 or, of the stream
# of invocations, 3.
by_group() { # COLUMN FILE
	bin/alps-workload windows --cpus "$cpus" "$dir/trace.csv" | bin/alps-sim groups -q |
		awk -F, -v OFS=, -v column="$1" '
			NR == FNR { n = split($NF, names, " "); for (i = 1; i <= n; i++) group[names[i]] = $1; next }
			FNR > 1 { $column = group[$column] }
			{ print }' - "$2"
}

# Prints the figures of a setting, and draws the picture.
figures() {
	local measured=() contender
	for contender in $(contenders); do
		contender=${contender%:*}
		by_group 2 "$dir/$contender/result.csv" >"$work/$contender.csv"
		measured+=(--measured "$contender=$work/$contender.csv")
	done
	# SRPT's bound: the CPU times asked for, without any cost. The oracle is SRPT as well, but
	# of the CPU times measured under ALPS, with what starting, switching and ending cost.
	bin/alps-workload windows --cpus "$cpus" "$dir/trace.csv" >"$work/windows.csv"
	by_group 3 "$work/windows.csv" | bin/alps-sim compare -q --policies srpt --skip 0 | sed 's/^srpt,/bound,/' >"$work/figures.csv"
	bin/alps-workload invocations --cpus "$cpus" "$work/alps.csv" |
		bin/alps-sim compare -q --policies srpt --skip 0 "${measured[@]}" --plot "$results/${setting//\//-}.svg" |
		sed -n 's/^srpt,/oracle,/; 2,$p' >>"$work/figures.csv"
	awk -F, -v OFS=, -v setting="${setting//\//,}" -v dir="$dir" '
		NR == 1 { $1 = "contender,kernel,commit"; $2 = "group"; print "workload,cpus,load_pct,seed", $0; next }
		{ kernel = commit = ""; getline kernel <(dir "/" $1 "/kernel.txt"); getline commit <(dir "/" $1 "/commit.txt")
			close(dir "/" $1 "/kernel.txt"); close(dir "/" $1 "/commit.txt")
			$1 = $1 OFS kernel OFS commit; print setting, $0 }' "$work/figures.csv"
}

bin/alps-vm setup
mkdir -p "$results"
bin/alps-workload build "$runs" >&2
settings=
for kind in $workloads; do
	for cpus in ${CPUS:-1 2 4}; do
		for load in ${LOADS:-50 70 90 110}; do
			for seed in ${SEEDS:-1 2 3}; do settings+=" $kind/$cpus/$load/$seed"; done
		done
	done
done
for setting in $settings; do
	make_traces "$setting"
	run teach newest teach.csv
	for contender in $(contenders); do
		run "${contender%:*}" "${contender#*:}" trace.csv teach/turns.csv
	done
	figures >>"$work/all.csv"
done
awk 'NR == 1 || !/^workload,/' "$work/all.csv" >"$results/figures.csv"
for setting in $settings; do table "$results/figures.csv" "$setting"; done | tee "$results/table.md"
