#!/usr/bin/env bash
# Runs experiments, all if none is named, and keeps what they print in out/experiments.
# One that is done is not run again but by name; main.sh goes on within itself.
#
#   run.sh [NAME …]
set -euo pipefail
cd "$(dirname "$0")/../.."
names=${*:-main results}
mkdir -p out/experiments

for name in $names; do
	if [ "$name" = run ] || [ ! -x "docs/experiments/$name.sh" ]; then
		echo "run.sh: there is no experiment $name; docs/experiments/README.md lists them" >&2
		exit 2
	fi
done
for name in $names; do
	if [ $# = 0 ] && [ -e "out/experiments/$name.md" ]; then
		echo "$name is done: out/experiments/$name.md" >&2
		continue
	fi
	SECONDS=0
	"docs/experiments/$name.sh" | tee "out/experiments/$name.part"
	mv "out/experiments/$name.part" "out/experiments/$name.md"
	echo "$name took $((SECONDS / 60)) min $((SECONDS % 60)) s; out/experiments/$name.md has the table" >&2
done
