#!/usr/bin/env bash
# Measures parts of Headrace beside what they are compared with, alternating in one process.
#
#   bash integration/benchmarks/run.sh loader [OPTIONS]     batches out of native shards beside the limit of this machine
#   bash integration/benchmarks/run.sh kernels [OPTIONS]    the model's matrix products beside OpenBLAS, where it is installed
#   bash integration/benchmarks/run.sh feedback [OPTIONS]   training steps that measure gradients by domain beside steps that do not
#   bash integration/benchmarks/run.sh policies             an update of each policy, in time and memory, then as feedback
#   bash integration/benchmarks/run.sh peers [OPTIONS]      other loaders, on the same tokens, as one table: --quick,
#                                                           --rows PATTERN, --list, --rounds N, --json FILE, --self-test
#
# The other OPTIONS go to `headrace bench`; `--help` after the name lists them. Ratios are medians over alternating rounds and are what to quote;
# absolute figures move with the machine. Nothing else should run meanwhile.

set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=integration/setup.sh
. integration/setup.sh

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' integration/benchmarks/run.sh; }

[ $# -ge 1 ] || { usage >&2; exit 2; }
case "$1" in
  --help) usage; exit 0 ;;
  loader | kernels | feedback | policies | peers) ;;
  *) printf 'unknown benchmark %s\n' "$1" >&2; usage >&2; exit 2 ;;
esac

# The parts that need no set-up, and no build.
export PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH=integration/benchmarks${PYTHONPATH:+:$PYTHONPATH}
if [ "$1" = peers ]; then
  case "${2-}" in
    --self-test) exec python3 -m unittest peers.test_peers ;;
    --help | --list) exec python3 -m "$@" ;;
  esac
fi

set_up >&2
swift build -c release --product headrace >&2
headrace=$(swift build -c release --show-bin-path)/headrace
if [ "$1" = peers ]; then
  exec python3 -m "$@" --headrace "$headrace"
fi
if [ "$1" = policies ]; then
  [ $# -eq 1 ] || { printf 'policies takes no options; headrace bench policy-cost does\n' >&2; exit 2; }
  bare=
  for domains in 7 22 100; do
    for policy in odm alignment 'alignment --option memory=gram' ac-odm 'ac-odm --option state=gram' 'ac-odm --option state=paper'; do
      # shellcheck disable=SC2086
      "$headrace" bench policy-cost --policy $policy --domains "$domains" $bare
      bare=--bare
    done
    # Networks of 5 x 1024, as published: 17 million parameters.
    "$headrace" bench policy-cost --option preset=paper --domains "$domains" --updates 30 --bare
  done
  exec "$headrace" bench feedback
fi
exec "$headrace" bench "$@"
