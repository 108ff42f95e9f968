# The loop of ALPS in the demonstration's machine, as an operator would write it.
# Arguments: the window, how many windows of history to learn from, and flags of
# the workload runner.
set -eu -o pipefail
window=$1 history=$2
shift 2
cd /out

# Waits until alps-collect has attached: it then writes the header.
attached() { while [ ! -s "$1" ]; do sleep 0.1; done; }

echo "1. the workload under the kernel's own scheduler ($(uname -r))" >&2
alps-collect --under /fn --window "$window" >kernel-invocations.csv &
attached kernel-invocations.csv
alps-runner "$@" /trace.csv >kernel-result.csv
kill $!
wait $! # alps-collect ends its window at the signal and exits with 0

echo "2. learning from what was collected" >&2
alps-sim kernel-invocations.csv >kernel-turns.csv
alps-tune --history "$history" kernel-turns.csv >kernel-policy.csv
alps-load kernel-policy.csv

echo "3. the same workload under ALPS, the loop going on" >&2
alps-collect --under /fn --window "$window" | tee alps-invocations.csv |
	alps-sim | tee alps-turns.csv |
	alps-tune --history "$history" --prev kernel-policy.csv | tee alps-policy.csv |
	alps-load &
loop=$!
attached alps-invocations.csv
alps-runner "$@" /trace.csv >alps-result.csv
killall alps-collect # the rest of the pipe ends with its input
wait $loop

alps-load status >alps-status.txt
alps-load dump >alps-dump.csv
alps-load unload
test "$(cat /sys/kernel/sched_ext/state)" = disabled
