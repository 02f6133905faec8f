#!/usr/bin/env bash
# MosaicML's library writes MDS shards that Headrace reads, and reads what Headrace exports: every token is compared.
# deadline: 600
#
# The library comes from PyPI into a virtual environment, which takes minutes and some gigabytes, because torch comes with it. It
# is kept in the folder HEADRACE_PYTHON_CACHE (default: headrace in the user's cache folder) and found there the next time.
set -euo pipefail
# shellcheck source=integration/setup.sh
. integration/setup.sh

: "${HEADRACE:?the built command}" "${SCRATCH:?an empty folder}"
version=0.13.0
cache=${HEADRACE_PYTHON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/headrace}
environment=$cache/mosaicml-streaming-$version

fail() {
  printf 'mds: %s\n' "$*" >&2
  exit 1
}

cannot_run() {
  printf 'mds: %s\n' "$*"
  exit 77
}

# A file that is written last tells a whole environment from one whose making was cut short.
make_environment() {
  [ ! -e "$environment/whole" ] || return 0
  rm -rf "$environment"
  mkdir -p "$cache"
  python3 -m venv "$environment" 2>"$SCRATCH/venv.log" || cannot_run "python3 has no venv: $(tail -n 1 "$SCRATCH/venv.log")"
  # The newest torch that was tried with it. pip takes one without CUDA, a tenth of the size, where it has been told of one.
  with_deadline 300 "$environment/bin/pip" install --no-input --quiet "mosaicml-streaming==$version" "torch==2.13.*" \
    >"$SCRATCH/pip.log" 2>&1 ||
    cannot_run "mosaicml-streaming $version cannot be had from PyPI: $(tail -n 1 "$SCRATCH/pip.log")"
  touch "$environment/whole"
}

python() { "$environment/bin/python" -W ignore integration/mds/interop.py "$@"; }

check_reading() {
  python write "$SCRATCH/cases" >"$SCRATCH/write.log" 2>&1 || fail "the library cannot write: $(tail -n 5 "$SCRATCH/write.log")"
  HEADRACE_MDS_CASES=$SCRATCH/cases swift test -c release --skip-build --disable-xctest --filter MDSInteropTests \
    >"$SCRATCH/read.log" 2>&1 || fail "Headrace reads other tokens: $(grep -a '✘' "$SCRATCH/read.log" | head -n 20)"
  # A filter that matches nothing, or a suite that was skipped, ends with success.
  grep -qa 'everyTokenOfEveryFolderIsRead() passed' "$SCRATCH/read.log" || fail "the test did not run: $(tail -n 5 "$SCRATCH/read.log")"
}

make_corpus() {
  python3 - "$SCRATCH/lines.jsonl" <<'PYTHON'
import json, random, sys
words = random.Random(11)
with open(sys.argv[1], "w") as lines:
    for number in range(400):
        text = " ".join("".join(words.choice("abcdefghij") for _ in range(words.randint(1, 9))) for _ in range(number * 3))
        lines.write(json.dumps({"text": text or "a"}) + "\n")
PYTHON
  "$HEADRACE" pack -o "$SCRATCH/corpus" --domain lines="$SCRATCH/lines.jsonl" --held-out 0.1 --shard-tokens 500000 >/dev/null 2>&1
}

# export_and_read LENGTH OPTION…: exports, and lets the library read; LENGTH is 0 where samples are documents.
export_and_read() {
  local length=$1
  shift
  rm -rf "$SCRATCH/export" "$SCRATCH"/copy-*
  "$HEADRACE" export "$SCRATCH/corpus" -o "$SCRATCH/export" --size-limit 256KiB "$@" >"$SCRATCH/export.log" 2>&1 ||
    fail "export $* failed: $(cat "$SCRATCH/export.log")"
  python read "$SCRATCH/corpus" "$SCRATCH/export" "$length" >"$SCRATCH/export.log" 2>&1 ||
    fail "the library does not read what 'export $*' wrote: $(tail -n 5 "$SCRATCH/export.log")"
}

check_export() {
  make_corpus
  export_and_read 0
  export_and_read 0 --compression zstd:19 --token-type int64
  export_and_read 0 --compression none --token-type uint32
  export_and_read 128 --samples sequences --sequence-length 128 --token-type int32
  export_and_read 128 --samples sequences --sequence-length 128 --compression none
  local code=0
  "$HEADRACE" export "$SCRATCH/corpus" -o "$SCRATCH/export" >/dev/null 2>"$SCRATCH/export.log" || code=$?
  [ "$code" -eq 1 ] || fail "an export over another ended with $code"
  grep -q "nothing is written over" "$SCRATCH/export.log" || fail "an export over another said: $(cat "$SCRATCH/export.log")"
}

# An export that is killed leaves nothing that looks finished.
check_kill() {
  "$HEADRACE" export "$SCRATCH/corpus" -o "$SCRATCH/killed" --compression zstd:22 >/dev/null 2>&1 &
  local process=$!
  sleep 0.05
  kill -9 "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || true
  [ -e "$SCRATCH/killed.partial" ] || [ -e "$SCRATCH/killed" ] || return 0
  [ ! -e "$SCRATCH/killed" ] || [ ! -e "$SCRATCH/killed.partial" ] || fail "a killed export stands half under its name"
}

make_environment
check_reading
check_export
check_kill
echo "mosaicml-streaming $version and Headrace read the same tokens, both ways"
