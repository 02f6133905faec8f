#!/usr/bin/env bash
# Fuzzes every parser of file bytes for a few seconds, from the seeds in fixtures/fuzz.
# deadline: 480
#
# Inputs that earlier runs on this machine kept are used too. Longer: bash integration/fuzz.sh --seconds N
set -euo pipefail
exec bash integration/fuzz.sh --seconds 3
