#!/usr/bin/env bash
# Checks the tools of the crash tests themselves: the shim sees, kills and fails what it should, in C, Swift and Python.
# deadline: 120
set -euo pipefail
if [ "$(uname)" != Linux ]; then
  echo "the shim works on Linux only"
  exit 77
fi
exec python3 integration/crash/crash_test.py
