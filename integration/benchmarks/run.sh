#!/usr/bin/env bash
# Measures parts of Headrace beside what they are compared with, alternating in one process.
#
#   bash integration/benchmarks/run.sh loader [OPTIONS]     batches out of native shards beside the limit of this machine
#   bash integration/benchmarks/run.sh kernels [OPTIONS]    the model's matrix products beside OpenBLAS, where it is installed
#
# OPTIONS go to `headrace bench`; `--help` after the name lists them. Ratios are medians over alternating rounds and are what to quote;
# absolute figures move with the machine. Nothing else should run meanwhile.

set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=integration/setup.sh
. integration/setup.sh

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' integration/benchmarks/run.sh; }

[ $# -ge 1 ] || { usage >&2; exit 2; }
case "$1" in
  --help) usage; exit 0 ;;
  loader | kernels) ;;
  *) printf 'unknown benchmark %s\n' "$1" >&2; usage >&2; exit 2 ;;
esac

set_up >&2
swift build -c release --product headrace >&2
exec "$(swift build -c release --show-bin-path)/headrace" bench "$@"
