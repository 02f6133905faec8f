#!/usr/bin/env bash
# Kills and starves training at random moments and at its system calls: the resumed run must have the same ledger, metrics
# (but for times) and parameters as one that was never killed.
# deadline: 300
set -euo pipefail
python3 integration/crash/make_text.py "$SCRATCH/text"
"$HEADRACE" pack --output "$SCRATCH/corpus" --domain "words=$SCRATCH/text/words" --domain "lines=$SCRATCH/text/lines.jsonl" \
  --domain "numbers=$SCRATCH/text/numbers" --held-out 0.1 >/dev/null 2>&1
train="$HEADRACE train $SCRATCH/corpus --run-folder {work}/run --steps 16 --rows 4 --sequence-length 64 --layers 1"
train+=" --width 32 --heads 2 --evaluation-interval 4 --evaluation-tokens 256 --checkpoint-interval 3 --compute-threads 2"
exec python3 integration/crash/crash.py --scratch "$SCRATCH/trials" --run "$train" --resume "$train --resume" \
  --outputs run/ledger.jsonl run/metrics.jsonl --without-keys time_in_seconds \
  --verify 'python3 integration/crash/same_run.py {work}/run {reference}/run' \
  --random 160 --pause-us 1000 --kills-per-mode "${KILLS_PER_MODE:-20}" --fail ENOSPC,EIO \
  --order --in-place ledger.jsonl metrics.jsonl --deadline 60
