#!/bin/sh
# Installs the given Debian packages, as root; else says what to install.
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "compiling the BPF programs needs the Debian packages $*; install them" >&2
	exit 1
fi
set -e
apt-get update -q >/dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >/dev/null
