#!/usr/bin/env bash
# Stands for alps-vm where only the scripts around it are tested: each invocation takes
# four times its demand, under alps twice. Says in runs.log what was run on which kernel.
set -euo pipefail
[ "$1" != setup ] || exit 0
while [ "$1" != -- ]; do
	case $1 in
	--kernel) kernel=$2 ;;
	--out) out=$2 ;;
	--file) case $2 in *:/trace.csv | *:/teach.csv) trace=${2%:*} ;; esac ;;
	esac
	shift
done
contender=$4 # -- sh /contender.sh NAME FLAGS
echo "$contender $kernel ${*:5}" >>runs.log
if [ "$contender" = "${FAIL:-}" ]; then exit 1; fi
mkdir "$out"
echo "6.$kernel" >"$out/kernel.txt"
[ "$contender" != teach ] || { echo 1234 >"$out/loops.txt"; echo >"$out/turns.csv"; }
awk -F, -v OFS=, -v times="$([ "$contender" = alps ] && echo 2 || echo 4)" '
	NR == 1 { print "invocation,class,arrival_ns,start_ns,end_ns,cpu_ns,switches,clock_ns,fork_ns,demand_ns,block_ns," \
		"rusage_cpu_ns,voluntary,involuntary,pid,sleeps"; next }
	{ print NR - 1, $2, $1, $1, sprintf("%.0f", $1 + times * $3), $3, 3, $1, $1, $3, 0, $3, 1, 2, NR + 1, 0 }' "$trace" >"$out/result.csv"
