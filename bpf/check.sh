#!/bin/sh
# Checks the C code's format and that the committed objects are what it compiles
# to. Says what it leaves out where the tools are missing.
#
#   check.sh CLANG
set -eu
cd "$(dirname "$0")"
clang=$1

if command -v clang-format-19 >/dev/null; then
	clang-format-19 --dry-run --Werror ./*.c ./*.h ../internal/workload/runner/*.c ../internal/workload/runner/*.h
else
	echo "check: clang-format-19 is missing: the format of the C code was not checked"
fi

if ! command -v "$clang" >/dev/null || [ ! -e /usr/include/bpf/bpf_helpers.h ]; then
	echo "check: $clang or libbpf-dev is missing: the BPF objects were not compiled anew (make generate installs them)"
	exit 0
fi
if [ "$("$clang" --version | head -n 1)" != "$(cat CLANG)" ]; then
	echo "check: this is $("$clang" --version | head -n 1), the objects are by $(cat CLANG): not compared"
	exit 0
fi
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
cp ./*_bpfel.* "$before"
${GO:-go} generate .
for file in "$before"/*; do
	if ! cmp "$file" "$(basename "$file")"; then
		echo "check: $(basename "$file") is not what its source compiles to; make generate and commit" >&2
		exit 1
	fi
done
