# Sourced by the experiments: the workloads. The published traces are not part of
# this project: ALPS_TRACES says where they are.
traces=${ALPS_TRACES:-../shared/traces}

# The published workloads that there are.
published() {
	if [ -e "$traces/demands.csv" ]; then
		echo alps-huawei alps-azure sfs
	else
		echo "$0: no published traces in $traces (set ALPS_TRACES to their directory); only generated workloads" >&2
	fi
}

# Makes $work/windows.csv of a workload, and sets skip to how many of its windows
# only teach. Arguments: its kind, CPUs, seed, load in percent.
make_windows() {
	local kind=$1 cpus=$2 seed=$3 load=${4:-90} s
	skip=2
	case $kind in
	alps-huawei | alps-azure | sfs)
		# One sample of the trace teaches, another one is judged.
		for s in $((2 * seed - 1)) $((2 * seed)); do
			bin/alps-workload trace --format "${kind%-*}" --demands "$traces/demands.csv" --sample 1/$((24 / cpus)) \
				--cpus "$cpus" --seed "$s" --utilisation "$load" "$traces/$kind.txt" >"$work/$((s % 2)).csv"
		done
		skip=$(tail -n 1 "$work/1.csv" | awk -F, '{ print int($1 / 60e9) + 1 }')
		awk -F, -v OFS=, -v skip="$skip" 'FNR == 1 { file++ } FNR == 1 && file == 2 { next }
			file == 2 { $1 = sprintf("%.0f", $1 + skip * 60e9) } { print }' "$work/1.csv" "$work/0.csv" |
			bin/alps-workload windows --cpus "$cpus" >"$work/windows.csv"
		;;
	sleeping)
		bin/alps-sim generate --invocations $((2000 * cpus)) --cpus "$cpus" --seed "$seed" --utilisation "$load" \
			--sleep-share 0.5 --sleeps 5 >"$work/windows.csv"
		;;
	*)
		bin/alps-sim generate --invocations $((2000 * cpus)) --cpus "$cpus" --seed "$seed" --utilisation "$load" \
			--arrivals "$kind" >"$work/windows.csv"
		;;
	esac
}

# Makes $work/trace.csv: long enough for many windows, on one CPU at 90% load. Of a
# published trace all requests (of sfs a quarter, else it has over an hour), with the
# gaps scaled to one CPU; of a generated one 8,000 invocations, half an hour.
# Arguments: its kind, seed.
make_trace() {
	local sample=1/1
	[ "$1" != sfs ] || sample=1/4
	case $1 in
	alps-huawei | alps-azure | sfs)
		bin/alps-workload trace --format "${1%-*}" --demands "$traces/demands.csv" --sample $sample --cpus 1 --seed "$2" \
			--utilisation 90 "$traces/$1.txt" >"$work/trace.csv"
		;;
	*)
		bin/alps-workload generate --invocations 8000 --arrivals "$1" --cpus 1 --seed "$2" --utilisation 90 >"$work/trace.csv"
		;;
	esac
}
