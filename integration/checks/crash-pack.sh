#!/usr/bin/env bash
# Kills and starves packing at random moments and at its system calls: the resumed command must leave the same bytes.
# deadline: 300
set -euo pipefail
python3 integration/crash/make_text.py "$SCRATCH/text"
pack="$HEADRACE pack --output {work}/corpus --domain words=$SCRATCH/text/words --domain lines=$SCRATCH/text/lines.jsonl"
pack+=" --domain numbers=$SCRATCH/text/numbers --held-out 0.1 --threads 2 --shard-tokens 300000"
exec python3 integration/crash/crash.py --scratch "$SCRATCH/trials" --run "$pack" \
  --outputs 'corpus/**/*' 'corpus.*' --random 110 --pause-us 1000 --kills-per-mode "${KILLS_PER_MODE:-20}" \
  --fail ENOSPC,EIO --order --in-place '*.bucket*' 'plan.json' --deadline 60
