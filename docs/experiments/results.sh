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

Made by `make results`; do not edit. Everything here is simulated by `alps-sim`, so it is the same on any machine;
what real kernels do is in the [README](../README.md) and in [fair-schedulers.md](fair-schedulers.md).

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
