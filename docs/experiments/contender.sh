# One contender's run, in the virtual machine: main.sh puts this script, the tools, the
# workload runner and the files there. The requests are /trace.csv, and /teach.csv those
# to learn from; what is left in /out comes back.
#
#   sh contender.sh NAME [FLAGS OF THE WORKLOAD RUNNER…]
set -eu -o pipefail
contender=$1 history=4
shift
cd /out
uname -r >kernel.txt

# Waits until alps-collect has attached: it then writes the header.
attached() { # FILE PID
	until [ -s "$1" ]; do
		kill -0 "$2" # or it has given up, and set -e ends the script
		sleep 0.1
	done
}

# ALPS learns from turns.csv, and the loop goes on while the requests come.
alps() { # FLAGS OF alps-tune, FLAGS OF alps-load, FLAGS OF THE RUNNER…
	tune=$1 load=$2
	shift 2
	alps-tune --history $history --state state.csv $tune /turns.csv | alps-load $load
	(alps-collect --under /fn --window 60s | tee invocations.csv | alps-sim |
		alps-tune --history $history --state state.csv $tune | alps-load $load) &
	loop=$!
	attached invocations.csv $loop
	alps-runner "$@" /trace.csv >result.csv
	killall alps-collect # the rest of the pipe ends with its input
	wait $loop           # fails if any stage did, by pipefail
	alps-load status >status.txt
	alps-load unload
}

case $contender in
teach) # the kernel's own scheduler, watched: what all who learn have learnt from
	alps-runner --calibrate >loops.txt
	alps-collect --under /fn --window 60s >invocations.csv &
	collect=$!
	attached invocations.csv $collect
	alps-runner "$@" --loops-per-ms "$(cat loops.txt)" /teach.csv >result.csv
	kill $collect
	wait $collect
	alps-sim invocations.csv >turns.csv
	;;
cfs-* | eevdf-*) alps-runner "$@" /trace.csv >result.csv ;;
slices) # EEVDF, told each class's slice
	alps-tune --history $history /turns.csv >policy.csv
	alps-runner --slices policy.csv "$@" /trace.csv >result.csv
	;;
sfs) # without the kernel's limit on real-time tasks, which would hold its FIFO jobs up
	echo -1 >/proc/sys/kernel/sched_rt_runtime_us
	alps-runner --scheduler sfs "$@" /trace.csv >result.csv
	;;
alps-paper) alps "--rank-by wait --no-unknown" --paper "$@" ;;
alps-demand) alps "--rank-by demand" "" "$@" ;;
alps) alps "" "" "$@" ;;
*)
	echo "contender.sh: no contender is called $contender" >&2
	exit 2
	;;
esac
