#!/usr/bin/env bash
# Fuzzes the parsers of file bytes with libFuzzer and AddressSanitizer.
#
#   bash integration/fuzz.sh                    every parser, 300 CPU-seconds each
#   bash integration/fuzz.sh --seconds N        N CPU-seconds each
#   bash integration/fuzz.sh --only PARSER      one parser, by the name that its line shows
#   bash integration/fuzz.sh --make-seeds       writes fixtures/fuzz anew, and ends
#   bash integration/fuzz.sh --input FILE --only PARSER   gives a parser one input, and shows what comes of it
#
# Inputs that reached something new are kept in .build-fuzz/inputs/PARSER, and the next run goes on from them. What crashed, hung or
# took too much memory is kept in .build-fuzz/finds/PARSER. One line a parser says how many executions there were, how much of the
# program and of its behavior (edges, features) they reached, how many inputs were new, how many finds there are, and the most memory.
# The exit code is 0 without a find, 1 with one, 2 if the command line is wrong, 77 if libFuzzer cannot be built here.

set -euo pipefail
cd "$(dirname "$0")/.."

scratch=$PWD/.build-fuzz
seconds=300
only=""
input=""
make_seeds=no
export HEADRACE_FUZZ=1
# A crash report takes minutes; the runtime and the test harness leave a few hundred bytes unfreed.
export SWIFT_BACKTRACE=enable=no
export ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=16
# What a parser may ask for at once, and have in all: libzstd's largest window is 128 MiB.
limits=(-malloc_limit_mb=160 -rss_limit_mb=1024 -timeout=20 -max_len=4096)

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' integration/fuzz.sh; }

parse_options() {
  while [ $# -gt 0 ]; do
    case "$1" in
      --seconds | --only | --input)
        [ $# -ge 2 ] || { printf -- '%s needs a value\n' "$1" >&2; exit 2; }
        case "$1" in
          --seconds) seconds=$2 ;;
          --only) only=$2 ;;
          --input) input=$2 ;;
        esac
        shift
        ;;
      --make-seeds) make_seeds=yes ;;
      --help) usage; exit 0 ;;
      *) printf 'unknown option %s; --help shows the options\n' "$1" >&2; exit 2 ;;
    esac
    shift
  done
  case "$seconds" in '' | *[!0-9]*) printf -- '--seconds needs a number\n' >&2; exit 2 ;; esac
}

# Whether an empty program with libFuzzer builds: not every toolchain has it.
has_libfuzzer() {
  local folder=$scratch/probe
  mkdir -p "$folder"
  printf '@_cdecl("LLVMFuzzerTestOneInput")\npublic func f(_ p: UnsafeRawPointer?, _ n: Int) -> Int32 { 0 }\n' >"$folder/probe.swift"
  swiftc -parse-as-library -sanitize=fuzzer,address "$folder/probe.swift" -o "$folder/probe" >"$folder/log" 2>&1
}

build() {
  # SwiftPM takes one sanitizer by its option; the manifest gives the other to our own C.
  local options=(-c release --scratch-path "$scratch" --sanitize=fuzzer -Xswiftc -sanitize=fuzzer,address --product Fuzz)
  swift build "${options[@]}" >"$scratch/build.log" 2>&1 || {
    tail -n 50 "$scratch/build.log"
    exit 1
  }
  fuzz=$(swift build "${options[@]}" --show-bin-path)/Fuzz
}

# The last number after "WORD: " in FILE.
last_figure() { sed -n "s/.* $1: \([0-9][0-9]*\).*/\1/p" "$2" | tail -n 1; }

# The number of libFuzzer's final statistic NAME in FILE.
statistic() { sed -n "s/^stat::$1: *\([0-9][0-9]*\)$/\1/p" "$2" | tail -n 1; }

# run_parser NAME: fuzzes until the CPU-seconds are used; prints the parser's line.
run_parser() {
  local name=$1 inputs=$scratch/inputs/$1 finds=$scratch/finds/$1 log=$scratch/logs/$1.log
  local used=0 executed=0 added=0 peak=0 code=0 options=("${limits[@]}") spent n
  mkdir -p "$inputs" "$finds" "$scratch/logs"
  [ ! -f "fixtures/fuzz/$name.dictionary" ] || options+=("-dict=fixtures/fuzz/$name.dictionary")
  : >"$log"
  # libFuzzer counts time on the clock; on a busy machine that is less of the CPU.
  while [ "$used" -lt "$seconds" ] && [ "$code" -eq 0 ]; do
    TIMEFORMAT='%U %S'
    spent=$({ time HEADRACE_FUZZ_PARSER=$name HEADRACE_FUZZ_FOLDER=$files "$fuzz" "${options[@]}" \
      -max_total_time=$((seconds - used)) -print_final_stats=1 -artifact_prefix="$finds/" \
      "$inputs" "fixtures/fuzz/$name" >>"$log" 2>&1; } 2>&1) || code=$?
    used=$(printf '%s\n' "$used $spent" | awk '{ print int($1 + $2 + $3 + 0.999) }')
    # A fuzzer that crashed prints no statistics.
    n=$(statistic number_of_executed_units "$log")
    executed=$((executed + ${n:-0}))
    n=$(statistic new_units_added "$log")
    added=$((added + ${n:-0}))
    peak=$(statistic peak_rss_mb "$log")
    rm -rf "${files:?}"/*
  done
  printf '%-18s %4s s  %9s executions  %6s edges  %6s features  %5s new  %3s finds  %4s MiB\n' "$name" "$used" \
    "$executed" "$(last_figure cov "$log")" "$(last_figure ft "$log")" "$added" "$(find "$finds" -type f | wc -l)" "${peak:-?}"
  [ "$code" -eq 0 ] && return 0
  grep -E 'Fatal error|^==|SUMMARY|does not hold' "$log" | head -n 5 | sed 's/^/      /'
  return 1
}

main() {
  parse_options "$@"
  mkdir -p "$scratch"
  has_libfuzzer || { printf 'libFuzzer cannot be built here: %s\n' "$(tail -n 1 "$scratch/probe/log")"; exit 77; }
  build
  files=$(mktemp -d "$([ -d /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/headrace-fuzz.XXXXXX")
  trap 'rm -rf "$files"' EXIT
  if [ "$make_seeds" = yes ]; then
    HEADRACE_FUZZ_SEEDS=$files "$fuzz" >/dev/null
    rm -rf fixtures/fuzz
    cp -r "$files" fixtures/fuzz
    exit 0
  fi
  local names name failures=0
  names=$(HEADRACE_FUZZ_NAMES=1 "$fuzz")
  if [ -n "$only" ]; then
    printf '%s\n' "$names" | grep -qx -- "$only" || { printf 'no parser is named %s\n' "$only" >&2; exit 2; }
    names=$only
  fi
  if [ -n "$input" ]; then
    [ -n "$only" ] || { printf -- '--input needs --only\n' >&2; exit 2; }
    HEADRACE_FUZZ_PARSER=$only HEADRACE_FUZZ_FOLDER=$files "$fuzz" "${limits[@]}" "$input"
    exit
  fi
  for name in $names; do run_parser "$name" || failures=$((failures + 1)); done
  [ "$failures" -eq 0 ]
}

main "$@"
