#!/usr/bin/env bash
# Sets up what is missing, then runs every check of the repository.
#
#   bash integration/test.sh                all of it: set-up, format, tidy, tidy-tests, build, tests, then
#                                           every integration/checks/*.sh
#   bash integration/test.sh --quick        without the integration checks
#   bash integration/test.sh --only NAME    one step or one integration check, by the name that its line shows
#
# Every step has a deadline. A step that fails shows its output. The last line says how many steps passed, failed and were skipped;
# the exit code is 0 if none failed, 1 if one did, 2 if the command line is wrong.
#
# An integration check is an executable integration/checks/NAME.sh. It runs in the root of the repository with HEADRACE (the built
# command) and SCRATCH (an empty folder of its own) in its environment. It exits with 0 if all is well and with 77, after a line that
# says why, if it cannot run here. A line "# deadline: SECONDS" in it replaces the usual 300 seconds.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=integration/setup.sh
. integration/setup.sh

quick=no
only=""
passed=0
failed=0
skipped=0
built=no
logs=$(mktemp -d "${TMPDIR:-/tmp}/headrace-test.XXXXXX")
trap 'rm -rf "$logs"' EXIT

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' integration/test.sh; }

parse_options() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --quick) quick=yes ;;
      --only)
        [ $# -ge 2 ] || { printf -- '--only needs the name of a step\n' >&2; exit 2; }
        only=$2
        shift
        ;;
      --help) usage; exit 0 ;;
      *) printf 'unknown option %s; --help shows the options\n' "$1" >&2; exit 2 ;;
    esac
    shift
  done
}

wanted() { [ -z "$only" ] || [ "$only" = "$1" ]; }

report() { printf '%-4s  %-24s %5s s  %s\n' "$@"; }

pass() {
  passed=$((passed + 1))
  report PASS "$@"
}

skip() {
  skipped=$((skipped + 1))
  report SKIP "$@"
}

fail() {
  failed=$((failed + 1))
  report FAIL "$@"
}

close_report() { printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"; }

# The line of a step's output that says most: Swift Testing's closing line, or the last one.
gist() {
  local line
  line=$(sed -n 's/.*\(Test run with .*\)/\1/p' "$1" | tail -n 1)
  [ -n "$line" ] || line=$(grep -v '^[[:space:]]*$' "$1" | tail -n 1 | cut -c 1-100)
  printf '%s' "$line"
}

# step NAME DEADLINE COMMAND…: runs the command and reports it. Returns 1 if it failed.
step() {
  local name=$1 deadline=$2 log="$logs/$1.log" start=$SECONDS code=0
  shift 2
  with_deadline "$deadline" "$@" >"$log" 2>&1 </dev/null || code=$?
  local took=$((SECONDS - start))
  case "$code" in
    0) pass "$name" "$took" "$(gist "$log")" ;;
    77) skip "$name" "$took" "$(gist "$log")" ;;
    *)
      [ "$code" -ne 124 ] || printf 'ran past its deadline of %s s\n' "$deadline" >>"$log"
      fail "$name" "$took" "exit code $code; its output:"
      tail -n 200 "$log" | sed 's/^/      /'
      return 1
      ;;
  esac
}

run_static_checks() {
  if wanted format; then
    step format 120 swift format lint --strict --recursive Sources Tests Package.swift || true
  fi
  if wanted tidy; then step tidy 60 python3 .ci/tidy || true; fi
  if wanted tidy-tests; then step tidy-tests 60 python3 .ci/tidy_test.py || true; fi
}

run_build_and_tests() {
  # One build serves both: `swift test` alone would build everything again with other flags.
  if step build 900 swift build -c release --build-tests; then
    built=yes
  fi
  wanted tests || return 0
  if [ "$built" = yes ]; then
    step tests 900 swift test -c release --skip-build --disable-xctest --parallel || true
  else
    skip tests 0 "the build failed"
  fi
}

run_check() {
  local name=$1 file="integration/checks/$1.sh" deadline
  deadline=$(sed -n 's/^# deadline: \([0-9][0-9]*\).*/\1/p' "$file" | head -n 1)
  if [ "$quick" = yes ]; then
    skip "$name" 0 "--quick"
  elif [ "$built" != yes ]; then
    skip "$name" 0 "the build failed"
  else
    SCRATCH="$logs/$name.scratch"
    export SCRATCH
    mkdir "$SCRATCH"
    step "$name" "${deadline:-300}" "$file" || true
    rm -rf "$SCRATCH"
  fi
}

# The names of the integration checks that are asked for, one a line.
wanted_checks() {
  local file name
  for file in integration/checks/*.sh; do
    name=$(basename "$file" .sh)
    if [ -x "$file" ] && wanted "$name"; then printf '%s\n' "$name"; fi
  done
}

main() {
  parse_options "$@"
  local checks start=$SECONDS
  checks=$(wanted_checks)
  case " format tidy tidy-tests build tests $(printf '%s' "$checks" | tr '\n' ' ') " in
    *" $only "*) ;;
    *) [ -z "$only" ] || { printf 'no step is named %s\n' "$only" >&2; exit 2; } ;;
  esac
  if ! (set_up); then
    fail set-up $((SECONDS - start)) "the reason stands above"
    close_report
    exit 1
  fi
  # A crash report takes minutes on a machine without symbols; the exit code says enough.
  export SWIFT_BACKTRACE=enable=no
  pass set-up $((SECONDS - start)) "$(swift --version 2>/dev/null | sed -n 's/.*\(Swift version [0-9.]*\).*/\1/p')"

  run_static_checks
  if wanted build || wanted tests || [ -n "$checks" ]; then
    run_build_and_tests
  fi
  if [ "$built" = yes ]; then
    HEADRACE=$(swift build -c release --show-bin-path)/headrace
    export HEADRACE
  fi
  local name
  for name in $checks; do run_check "$name"; done

  printf 'in %s s\n' $((SECONDS - start))
  close_report
  [ "$failed" -eq 0 ]
}

main "$@"
