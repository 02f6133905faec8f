#!/usr/bin/env bash
# Asserts the memory row: what a loader of six domains takes over 100,000 batches, and that a batch allocates nothing.
# deadline: 240
set -euo pipefail
if [ "$(uname)" != Linux ] || ! getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
  echo "allocations are counted on Linux with glibc only"
  exit 77
fi

counter=$SCRATCH/allocations.so
"${CC:-cc}" -O2 -Wall -Wextra -Werror -shared -fPIC -o "$counter" integration/memory/allocations.c

failures=0

# figure NAME FILE: the number on that line.
figure() { sed -n "s/^$1: //p" "$2"; }

# at_most WHAT VALUE LIMIT: notes a figure that is no number or above its limit.
at_most() {
  case $2 in
    '' | *[!0-9]*) printf 'FAIL  %s is "%s", not a number\n' "$1" "$2" ;;
    *)
      [ "$2" -gt "$3" ] || return 0
      printf 'FAIL  %s is %s, at most %s is allowed\n' "$1" "$2" "$3"
      ;;
  esac
  failures=$((failures + 1))
}

# measure PEAK_LIMIT_KIB OPTION…: runs the command with the counter and checks every figure.
measure() {
  local limit=$1 out=$SCRATCH/figures
  shift
  LD_PRELOAD=$counter "$HEADRACE" bench loader-memory --scratch "$SCRATCH" "$@" >"$out"
  local early late growth=0
  early=$(figure rss_kib_at_10000 "$out")
  late=$(figure rss_kib_at_100000 "$out")
  [ "$late" -le "$early" ] || growth=$((late - early))
  printf '%-34s allocations %s, peak %s KiB, at 10^4 %s KiB, growth to 10^5 %s KiB\n' \
    "$*" "$(figure allocations "$out")" "$(figure peak_kib "$out")" "$early" "$growth"
  at_most "allocations after the warm-up" "$(figure allocations "$out")" 0
  at_most "the peak in KiB" "$(figure peak_kib "$out")" "$limit"
  at_most "the growth in KiB" "$growth" 2048
}

"$HEADRACE" bench loader-memory --scratch "$SCRATCH" --batches 0 >/dev/null

sixty_mib=$((60 * 1024))
for threads in 0 1; do
  measure "$sixty_mib" --threads "$threads"
  measure "$sixty_mib" --threads "$threads" --ledger
  # A budget of seven pools, which the loader must live within: budget + 32 MiB.
  measure $(((16 + 32) * 1024)) --threads "$threads" --budget 16
done

if [ "$failures" -gt 0 ]; then
  echo "$failures figures are above their limits"
  exit 1
fi
echo "no allocation after the warm-up, every peak and growth within its limit"
