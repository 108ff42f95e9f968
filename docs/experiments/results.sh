#!/usr/bin/env bash
# Makes docs/results.md and its pictures anew. Takes some minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=docs/results.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bin/alps-sim generate --invocations 4000 --seed 1 >"$work/windows.csv"
{
	cat <<'EOF'
# Results

Made by `make results`; do not edit. All but [what real kernels do](#in-real-kernels) is simulated by `alps-sim`, so it is
the same on any machine. More of real kernels is in the [README](../README.md) and in
[fair-schedulers.md](fair-schedulers.md).

## All policies

Mean turnaround over that of SRPT, which knows how long each invocation will take and costs nothing; the mean of three
seeds, at 90% load, in windows of 60 s. `alps-huawei`, `alps-azure` and `sfs` are the traces of the artifacts of ALPS
and SFS: a random 1/24 of the requests for each CPU, demands with a coefficient of variation of 15%. One such sample
teaches, another one is judged. The others are generated, 2,000 invocations for each CPU in 12 classes, of which two
windows only teach: `steady`, `poisson` and `bursty` arrivals (coefficients of variation 0.23, 1 and 2.33), and
`sleeping` with half of the classes asleep for as long as they run, five times each. Policies that learn do so from all
windows before. `alps` is this project's, with `alps-tune --rank-by wait` (the paper's rule), `demand` and `gittins`.

EOF
	docs/experiments/policies.sh
	cat <<'EOF'

![Turnaround of one generated workload under all policies](policies.svg)

## In real kernels

The quick set of the [experiments](experiments/README.md), `make experiments EXP=quick`: measured in the test machine,
not simulated, save for `bound` and `oracle`.
EOF
	cat docs/experiments/results/quick/table.md
	cat <<'EOF'

![Turnaround of the same requests under all contenders](experiments/results/quick/alps-huawei-1-90-1.svg)

ALPS's paper has, by group of duration, 34.1 to 57.2% less than CFS and 20.6 to 27.3% less than SFS. Here ALPS as
shipped has 35.8 to 72.7% less than CFS and 39.6 to 59.0% less than SFS, and no group is worse off than under any of
the others but SRPT and ALPS by demand. The figures do not compare directly: the paper's are of a platform with
containers on 24 CPUs, and the bounds of its groups are not published; these are of one workload, one CPU and one seed.

Where it falls short: it takes 3.9% longer than SRPT's bound, and 2.2 to 4.4%, by group, than the oracle. `alps-demand`,
which knows of each class its mean alone, is 5.7% better in group 3, and 0.9% worse in all. Demands of one class vary by
15% here, so an index knows little more than a mean.

The paper's rules are level with ALPS as shipped in groups 1 and 2, but no better than CFS in group 4 (1,333 ms and
1,337 ms), with over twice its p99. They rank by the wait under SRPT. The longest class of all came once in the requests
that taught, while the CPU was free, so it had waited 0 and was put before three classes that need less than a tenth of
its time ([decision 7](decisions/0007-rank-by-index.md)).

Slices of a task's own help EEVDF by 2.0%: they say how long a turn is, but not who goes first for long. SFS is better
than CFS for what ends within its slice, 81 ms at the end of the run; group 4 takes 6.2% longer than under CFS alone.

## Predictors

What `alps-tune evaluate` says of each predictor on one CPU, the means of three seeds of the workloads above, learning
from all windows before. The error is the mean of the absolute errors, each in percent of the turn, before the rules of
`alps-tune`; the bias is by how much all predictions together are longer than all turns. `alps` ranks by the Gittins
index, `alps-paper` by wait.
EOF
	docs/experiments/predictors.sh
	cat <<'EOF'

## Sensitivity

Mean turnaround over that of SRPT where one number of `alps-tune` is not its default, by offered load, on one CPU; the
means of three seeds. The predictor is `mean`, and `as it is` has alpha 1, beta 1, theta 50, gamma 1, inertia 0.3, and
as history all windows before. `alps` ranks by the Gittins index, `alps-paper` by wait. Switches cost nothing here.
EOF
	docs/experiments/sensitivity.sh
	cat <<'EOF'

What follows from both for the defaults is in [decision 11](decisions/0011-defaults-of-alps-tune.md).

## Stretch

`alps` with other values of `--stretch`, by the Gittins index, on the workloads above: mean turnaround over that of SRPT,
and beside it that of the class with the longest demand over the same under EEVDF, where over 1 means that it is worse
off. The means of three seeds.

EOF
	docs/experiments/stretch.sh
	cat <<'EOF'

What follows from it is in [decision 10](decisions/0010-fair-time.md).

## When demands change

In the middle of each workload half of the classes swap demands and popularity, short ones with long ones: the 1st by
mean demand with the last, the 3rd with the last but two, and so on. Mean turnaround over that of SRPT of what arrives
in each window of 60 s after that: without the swap → with it, the same requests under other names; the means of three
seeds on one CPU at 90% load. `before` is all windows before but two. `alps, 4, drift` learns from the last four windows
with `--drift`. It has adapted when it is, and stays, within 10% of what it is without the swap: after so many windows,
the least to the most of the seeds. A ratio may be under 1, as SRPT puts off long ones into later windows.
EOF
	docs/experiments/shift.sh
	cat <<'EOF'

With the default, a history of one window, ALPS has adapted in the next window, but for `alps-azure` and `sfs`. In the
window of the change it does badly: what it knows is wrong, and with 4.0 to 6.0 times SRPT it is worse than EEVDF, which
knows nothing, on `alps-huawei` and `poisson`, though not on `bursty`. The swap is at a window's begin, the worst for
that window; in the middle of one, the next is learnt from a mixture. A history without `--drift` makes it worse for as
long as it reaches back: with four windows the second is still worse than under EEVDF on these three, and with all
windows four to seven of the eight are. With `--drift`, a history costs nothing here on these three. `alps-azure` has
about five invocations of a class in a window, too few for `--drift` to tell a change by, and takes up to five windows.
The trace of `sfs` comes in spells of overload, in which what waits is served after many windows; the swap matters less
than they do.

## Length of the windows

The same requests in windows of 5 s to 10 min, of which the first 10 min only teach: mean turnaround under `alps` over
that of SRPT, of all classes and of the quarter of them with the shortest demands, on one CPU at 90% load; the means of
three seeds (least to most). `strict` is `--stretch 0`. `alps-tune` learns from the last window unless told otherwise.
EOF
	docs/experiments/window.sh
	cat <<'EOF'

How far back ALPS learns from matters, not how often, as long as demands stay: with ten minutes of history, windows of 5
s to 5 min come to the same. With the last window alone, those of 5 and 10 s are bad: they tell of few invocations, and
of some classes none. From 1 min on there is little to gain. In windows of 10 min nothing has been learnt before the
judged part begins, so it begins with what fair scheduling left undone, on `sfs` a long backlog.

The short classes are near SRPT in ranks alone: strict, 0.97 to 1.21. As shipped they take 1.02 to 1.63 times SRPT's
time with ten minutes of history in windows of up to 5 min, where EEVDF takes 9 to 134 times: in busy spells long
functions come to their deadlines and have half of the time ([decision 10](decisions/0010-fair-time.md)).

## Mistaken predictions

The study that ALPS rests on found that SRPT comes close to itself if all predictions are wrong but the error is
bounded, and if some are right and the rest random. Mean turnaround over that of exact SRPT, one CPU, 4,000 generated
invocations, three draws of the predictions, from the least to the most:

EOF
	docs/experiments/mistakes.sh
	cat <<'EOF'

![SRPT with mistaken predictions](mistakes.svg)

The first finding holds: errors of a third, and the mean of the class in place of the truth, cost a few percent, and
even errors that make some predictions 0 leave SRPT far ahead of a fair scheduler, which predicts nothing. The second
holds for a small share only. What is predicted at random is now and then a long invocation thought to be short: once it
runs and has used what was predicted, it is thought to have nothing left and is not ended for anybody. Where half or
more of the predictions are random, a fair scheduler is nearly as good or better, all the more so in bursts.

## Groups

The classes of the same workload in four groups by duration, and the slices that SRPT gives them (minimum 6 ms):

EOF
	bin/alps-sim groups -q "$work/windows.csv" | awk -F, '
		NR == 1 { print "| group | mean CPU, ms | classes | invocations | share of CPU time | turns | slices, ms: p10 | p50 | p90 | deviation | within 20% of the class median |"
			print "|---|---|---|---|---|---|---|---|---|---|---|"; next }
		{ printf "| %d | %.1f to %.1f | %d | %d | %.1f%% | %d | %.1f | %.1f | %.1f | %.2f | %.0f%% |\n", $1, $2 / 1e6, $3 / 1e6, $4, $5, $6, $7, $9 / 1e6, $10 / 1e6, $11 / 1e6, $12, $13 }'
	cat <<'EOF'

As in ALPS's study, short functions have slices of nearly one length, as nobody ends their turns, and long ones a
wide spread.
EOF
} >"$work/results.md"
bin/alps-sim compare -q --policies srpt,gittins,alps,sfs,eevdf,fifo --plot docs/policies.svg "$work/windows.csv" >/dev/null
bin/alps-sim mistakes -q --plot docs/mistakes.svg "$work/windows.csv" >/dev/null
mv "$work/results.md" $out
echo "made $out, docs/policies.svg and docs/mistakes.svg" >&2
