# The loop of ALPS in the demonstration's machine, as an operator would write it.
# Arguments: the window, how many windows of history to learn from, and flags of
# the workload runner.
set -eu -o pipefail
window=$1 history=$2
shift 2
cd /out

# Waits until alps-collect has attached: it then writes the header.
attached() { # FILE PID
	until [ -s "$1" ]; do
		kill -0 "$2" # or it has given up, and set -e ends the script
		sleep 0.1
	done
}

echo "1. the workload under the kernel's own scheduler" >&2
alps-collect --under /fn --window "$window" >kernel-invocations.csv &
collect=$!
attached kernel-invocations.csv $collect
alps-runner "$@" /trace.csv >kernel-result.csv
kill $collect
wait $collect # it ends its window at the signal and exits with 0

echo "2. learning from what was collected" >&2
alps-sim kernel-invocations.csv >kernel-turns.csv
alps-tune --history "$history" kernel-turns.csv >kernel-policy.csv
alps-load kernel-policy.csv

echo "3. the same workload under ALPS, the loop going on" >&2
(alps-collect --under /fn --window "$window" | tee alps-invocations.csv |
	alps-sim | tee alps-turns.csv |
	alps-tune --history "$history" --prev kernel-policy.csv | tee alps-policy.csv |
	alps-load) &
loop=$!
attached alps-invocations.csv $loop
alps-runner "$@" /trace.csv >alps-result.csv
killall alps-collect # the rest of the pipe ends with its input
wait $loop           # fails if any stage did, by pipefail

alps-load status >alps-status.txt
alps-load dump >alps-dump.csv
alps-load unload
test "$(cat /sys/kernel/sched_ext/state)" = disabled
