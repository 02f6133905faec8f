#!/usr/bin/env bash
# Runs test suites under a sanitizer, in a build of its own.
#
#   bash integration/sanitizers.sh address               all suites under AddressSanitizer
#   bash integration/sanitizers.sh thread                CorporaTests and LoadingTests under ThreadSanitizer
#   bash integration/sanitizers.sh thread --only NAME    the suites whose names match, as `swift test --filter` has it
#
# Every suite of a file runs as a process of its own, so that what one finds does not end the others. One line each says how it went;
# reports stand in .build-NAME/reports. The exit code is 0 if none found anything.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=integration/setup.sh
. integration/setup.sh

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' integration/sanitizers.sh; }

case "${1:-}" in
  address) modules="CorporaTests KernelsTests MixingTests LoadingTests TrainingTests AblationsTests FuzzTests" ;;
  thread) modules="CorporaTests LoadingTests" ;;
  --help) usage; exit 0 ;;
  *) printf 'which sanitizer: address or thread\n' >&2; exit 2 ;;
esac
kind=$1
only=.
if [ "${2:-}" = --only ]; then only=${3:?--only needs a name}; fi

scratch=$PWD/.build-$kind
reports=$scratch/reports
mkdir -p "$reports"
# The runtime and the test harness leave a few hundred bytes unfreed; a backtrace of Swift's own takes minutes.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=detect_leaks=0
export TSAN_OPTIONS="suppressions=$PWD/integration/thread.suppressions history_size=4"

options=(-c release --scratch-path "$scratch" --sanitize="$kind")
swift build "${options[@]}" --build-tests >"$scratch/build.log" 2>&1 || {
  tail -n 50 "$scratch/build.log"
  exit 1
}

failures=0
for module in $modules; do
  # A file may hold several suites, or other things that tests need.
  suites=$(grep -hoE '^(@Suite.*)?(final class|struct) [A-Za-z0-9]+Tests\b' Tests/"$module"/*.swift | grep -oE '[A-Za-z0-9]+Tests$' | sort -u)
  for suite in $suites; do
    printf '%s\n' "$module.$suite" | grep -qE -- "$only" || continue
    start=$SECONDS
    code=0
    log=$reports/$module.$suite.log
    with_deadline 900 swift test "${options[@]}" --skip-build --disable-xctest --no-parallel --filter "^$module\.$suite/" >"$log" 2>&1 </dev/null ||
      code=$?
    found=$(grep -cE 'WARNING: ThreadSanitizer|ERROR: AddressSanitizer' "$log" || true)
    [ "$code" -eq 0 ] && [ "$found" -eq 0 ] && result=PASS || { result=FAIL; failures=$((failures + 1)); }
    gist=$(sed -n 's/.*\(Test run with .*\)/\1/p' "$log" | tail -n 1)
    printf '%-4s  %-40s %4s s  %2s reports  %s\n' "$result" "$module.$suite" $((SECONDS - start)) "$found" "${gist:-exit code $code}"
  done
done
[ "$failures" -eq 0 ]
