#!/usr/bin/env bash
# Fuzzes every parser of file bytes for a few seconds, from the seeds in fixtures/fuzz; only where HEADRACE_CHECK_FUZZ is set.
# deadline: 900
#
# The build under sanitizers takes longer than all other steps together. Inputs that earlier runs on this machine kept are used
# too. Longer: bash integration/fuzz.sh --seconds N
set -euo pipefail
if [ -z "${HEADRACE_CHECK_FUZZ:-}" ]; then
  printf 'fuzz: set HEADRACE_CHECK_FUZZ=1 to build the parsers under sanitizers and fuzz each for 3 seconds\n'
  exit 77
fi
exec bash integration/fuzz.sh --seconds 3
