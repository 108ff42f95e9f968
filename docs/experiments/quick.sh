#!/usr/bin/env bash
# The main comparison on one workload, one CPU, one load and one seed: some minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/experiments/windows.sh
workload=poisson
[ -z "$(published)" ] || workload=alps-huawei
NAME=quick WORKLOADS=$workload CPUS=1 LOADS=90 SEEDS=1 exec docs/experiments/main.sh
