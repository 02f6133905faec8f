#!/usr/bin/env bash
# Runs Headrace's main job on real text that is found on this machine, in about five minutes on two cores after the build:
# pack several domains into a zstd corpus, check it, stream it into a small language model, and draw what came of it.
#
#   bash integration/demo.sh            goes on where an earlier call was stopped; a finished run is shown again
#   bash integration/demo.sh --fresh    trains again from the beginning, on the same corpus
#   bash integration/demo.sh --steps N  trains for N steps (default: 1000)
#
# Leaves corpora/demo-text (the text), corpora/demo (the corpus) and runs/demo with report.html and report.svg.

set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=integration/setup.sh
. integration/setup.sh

steps=1000
fresh=no

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' integration/demo.sh; }

while [ $# -gt 0 ]; do
  case "$1" in
    --fresh) fresh=yes ;;
    --steps)
      [ $# -ge 2 ] || { printf -- '--steps needs a number\n' >&2; exit 2; }
      steps=$2
      shift
      ;;
    --help) usage; exit 0 ;;
    *) printf 'unknown option %s; --help shows the options\n' "$1" >&2; exit 2 ;;
  esac
  shift
done

headline() { printf '\n== %s\n' "$*"; }

# Shows a command as a reader could type it, then runs it.
show() {
  printf '$ headrace'
  printf ' %s' "$@"
  printf '\n'
  "$headrace" "$@"
}

headline "Setting up and building (the first time takes some minutes)"
set_up
swift build -c release --product headrace
headrace=$(swift build -c release --show-bin-path)/headrace
start=$SECONDS

corpus=corpora/demo
text=corpora/demo-text
# Another number of steps is another run.
run=runs/demo
[ "$steps" = 1000 ] || run=runs/demo-$steps

if [ -f "$corpus/corpus.json" ]; then
  headline "The corpus $corpus is there already"
else
  headline "Collecting real text from this machine into $text"
  domains=$(python3 integration/stage_text.py "$text")
  [ "$(printf '%s\n' "$domains" | grep -c .)" -ge 2 ] ||
    give_up "too little text was found for two domains; put .jsonl files with a \"text\" field into $text and run this again"
  set --
  for domain in $domains; do set -- "$@" --domain "$domain=$text/$domain.jsonl"; done
  headline "Packing it"
  show pack --output "$corpus" "$@" --held-out 0.05
fi

headline "Checking every frame"
show verify "$corpus"

set -- "$corpus" --mixture temperature --option exponent=0.5 --rows 16 --sequence-length 128 --seed 17
headline "What the loader will do"
show explain "$@" --steps "$steps"

headline "Training a small model"
if [ "$fresh" = yes ]; then rm -rf "$run"; fi
show train "$@" --run-folder "$run" --steps "$steps" --layers 4 --width 128 --heads 4 \
  --evaluation-tokens 8192 --resume

headline "Done in $((SECONDS - start)) s after the build"
printf 'open %s/%s/report.html, or %s/report.svg\n' "$PWD" "$run" "$run"
printf 'every step is in %s/ledger.jsonl and %s/metrics.jsonl\n' "$run" "$run"
