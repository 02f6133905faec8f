#!/usr/bin/env bash
# Trains with the policies that learn, as a user does: a run that is killed goes on to the same end, a recorded run is trained
# again by its mixtures alone, what a small model's policy learned drives a wider model, and what cannot be is refused by name.
# deadline: 240
set -euo pipefail

: "${HEADRACE:?the built command}" "${SCRATCH:?an empty folder}"
same_run=$PWD/integration/crash/same_run.py
python3 integration/crash/make_text.py "$SCRATCH/text"
cd "$SCRATCH"

fail() {
  printf 'policies: %s\n' "$*" >&2
  exit 1
}

"$HEADRACE" pack -o corpus --domain words=text/words --domain lines=text/lines.jsonl --domain numbers=text/numbers \
  --held-out 0.1 >/dev/null 2>&1
"$HEADRACE" pack -o other --domain words=text/words --domain lines=text/lines.jsonl --held-out 0.1 >/dev/null 2>&1
mkdir runs

steps=40
shape=(--rows 12 --sequence-length 64 --layers 1 --width 16 --heads 2 --steps "$steps" --warm-up-steps 4 --learning-rate 0.01)
shape+=(--evaluation-interval 20 --evaluation-tokens 256 --checkpoint-interval 5 --compute-threads 1 --threads 0)

# train NAME OPTION…: trains in runs/NAME.
train() {
  local name=$1
  shift
  "$HEADRACE" train corpus --run-folder "runs/$name" "${shape[@]}" "$@" >out 2>err </dev/null ||
    fail "'train $*' failed: $(cat err)"
}

# refused CODE TEXT OPTION…: training must exit with CODE, say TEXT, and leave no folder.
refused() {
  local expected=$1 text=$2 code=0
  shift 2
  "$HEADRACE" train corpus --run-folder runs/refused "${shape[@]}" "$@" >out 2>err </dev/null || code=$?
  [ "$code" -eq "$expected" ] || fail "'train $*' exited with $code, not $expected: $(cat out err)"
  grep -qF -- "$text" err || fail "'train $*' does not say '$text' but: $(cat err)"
  [ ! -e runs/refused ] || fail "'train $*' was refused and left a folder: $(ls runs/refused)"
}

# same NAME REFERENCE: ledger, metrics and record must be the same, but for times.
same() {
  for name in "$1" "$2"; do
    # A replay's reason is the path of its copy of the ledger.
    sed 's/"reason":"replay of [^"]*"//' "runs/$name/ledger.jsonl" >"$name.ledger"
    sed 's/,"time_in_seconds":[^,}]*//' "runs/$name/metrics.jsonl" >"$name.metrics"
  done
  cmp "$1.ledger" "$2.ledger" || fail "the ledgers of $1 and $2 differ"
  cmp "$1.metrics" "$2.metrics" || fail "the metrics of $1 and $2 differ"
  python3 "$same_run" "runs/$1" "runs/$2" || fail "the records of $1 and $2 differ"
}

# kill_at STEP NAME OPTION…: trains in runs/NAME until the process is killed behind a step.
kill_at() {
  local step=$1 name=$2
  shift 2
  "$HEADRACE" train corpus --run-folder "runs/$name" "${shape[@]}" "$@" >out 2>err </dev/null &
  local process=$!
  until [ "$({ wc -l <"runs/$name/metrics.jsonl"; } 2>/dev/null || echo 0)" -gt "$step" ]; do
    kill -0 "$process" 2>/dev/null || fail "'train $*' ended before it was killed: $(cat err)"
    sleep 0.002
  done
  kill -9 "$process"
  wait "$process" 2>/dev/null || true
  [ ! -e "runs/$name/record.json" ] || fail "'train $*' had ended when it was killed; it needs more steps"
}

check_resume() {
  local name=$1
  shift
  train "$name" "$@"
  [ "$(grep -c '"kind":"step"' "runs/$name/metrics.jsonl")" -eq "$steps" ] || fail "$name has not $steps steps"
  kill_at 12 "$name-killed" "$@"
  train "$name-killed" "$@" --resume
  grep -q "goes on" err || grep -q "step" err || fail "$name does not say that it goes on: $(cat err)"
  same "$name-killed" "$name"
}

# replays NAME: the run's mixtures alone make its losses again, and nothing is measured for them.
check_replay() {
  local name=$1
  shift
  train "$name-replayed" --policy replay --option "ledger=runs/$name" "$@"
  if grep -q "differs" err; then fail "the replay of $name says that it differs: $(cat err)"; fi
  python3 - "$name" <<'PYTHON' || fail "the replay of $name is another run"
import json, sys
folders = [f"runs/{sys.argv[1]}", f"runs/{sys.argv[1]}-replayed"]
recorded, replayed = ([json.loads(line) for line in open(f"{folder}/metrics.jsonl")][1:] for folder in folders)
assert len(recorded) == len(replayed) > 40
for old, new in zip(recorded, replayed):
    for key in set(old) | set(new) - {"time_in_seconds", "rewards"}:
        assert key in ("time_in_seconds", "rewards") or old.get(key) == new.get(key), (old["step"], key)
old, new = (json.load(open(f"{folder}/record.json")) for folder in folders)
assert old["trainer_checksum"] == new["trainer_checksum"]
ledgers = [[json.loads(line) for line in open(f"{folder}/ledger.jsonl")][1:] for folder in folders]
for old, new in zip(*ledgers):
    assert all(old[key] == new[key] for key in ("asked", "effective", "positions", "credits", "drawn")), old["step"]
    assert not any("gradients" in feedback for feedback in new["feedback"])
PYTHON
}

# moves NAME: the policy asked for more than one mixture.
moves() {
  python3 - "$1" <<'PYTHON' || fail "the mixture of $1 never changed"
import json, sys
lines = [json.loads(line) for line in open(f"runs/{sys.argv[1]}/ledger.jsonl")][1:]
assert len({tuple(line["asked"]) for line in lines}) > 1
PYTHON
}

check_resume odm --policy odm
check_resume alignment --policy alignment
check_resume ac-odm --policy ac-odm --option warm-up=5
check_resume bounded --policy ac-odm --option warm-up=5 --option floor=0.1 --option largest-move=0.2 --epoch-cap numbers=0.02
tokens=$((12 * 64))
check_resume schedule --policy schedule --option unit=tokens \
  --option "stages=$((15 * tokens)):words=0.2,lines=0.3,numbers=0.5;+$((9 * tokens)):words=0.6,lines=0.4,numbers=0"
for name in odm alignment ac-odm bounded schedule; do moves "$name"; done

check_replay odm
check_replay ac-odm
check_replay bounded

# Proxy mode: learned beside a small model, asked of a wider one, for which no gradient is measured.
train small --policy ac-odm --option state=paper --option warm-up=5 --save-policy small.policy
cmp small.policy runs/small/policy.saved || fail "--save-policy is not what the run folder has"
wider=(--policy ac-odm --option state=paper --width 32 --layers 2)
train wide "${wider[@]}" --policy-from small.policy --freeze
moves wide
if grep -q '"gradients"' runs/wide/ledger.jsonl; then fail "gradients were measured for a frozen policy"; fi
cmp small.policy runs/wide/policy.saved || fail "a frozen policy learned"
# A run folder stands for what its policy learned.
train wide-again "${wider[@]}" --policy-from runs/small --freeze
cmp runs/wide/ledger.jsonl runs/wide-again/ledger.jsonl || fail "--policy-from of a run folder is another policy"

# gone FILE NAME OPTION…: the same command goes on although the file that it names is gone.
gone() {
  local file=$1 name=$2
  shift 2
  train "$name" "$@"
  kill_at 12 "$name-killed" "$@"
  mv "$file" "$file.away"
  train "$name-killed" "$@" --resume
  mv "$file.away" "$file"
  same "$name-killed" "$name"
}

gone small.policy frozen "${wider[@]}" --policy-from small.policy --freeze
cp runs/ac-odm/ledger.jsonl recorded.jsonl
gone recorded.jsonl recorded --policy replay --option ledger=recorded.jsonl
cat >stages.json <<'JSON'
{"format": "headrace-schedule", "version": 1, "unit": "steps", "assumption": "what comes late counts twice", "stages": [
  {"until": 10, "weights": {"words": 0.2, "lines": 0.3, "numbers": 0.5}},
  {"ramp": 5, "weights": {"words": 0.6, "lines": 0.4, "numbers": 0}}]}
JSON
gone stages.json staged --policy schedule --option file=stages.json
grep -q "what comes late counts twice" runs/staged/report.html || fail "the report does not say what the schedule assumes"
echo '{"weights": {"words": 0.5, "numbers": 0.3, "lines": 0.2}}' >mixture.json
gone mixture.json fixed --mixture mixture.json
gone mixture.json near --policy odm --mixture mixture.json --option prior-kl=0.1 --option prior=mixture.json

# What cannot be is refused by name, before there is a folder.
head -c 300 small.policy >cut.policy
refused 1 cut.policy --policy ac-odm --option state=paper --policy-from cut.policy
refused 1 runs/small/ledger.jsonl --policy ac-odm --policy-from runs/small/ledger.jsonl
refused 1 nowhere.policy --policy ac-odm --policy-from nowhere.policy
refused 2 "did you mean 'gamma'" --policy ac-odm --option gama=0.5
refused 2 "did you mean 'ac-odm'" --policy ac-omd
refused 1 "learns nothing that could be saved" --policy odm --save-policy none.policy
[ ! -e none.policy ] || fail "a policy that learns nothing was saved"
refused 1 "each of 3 needs two rows" --policy ac-odm --rows 4
refused 1 "the schedule ends after 3000 tokens" --policy schedule --option unit=tokens \
  --option "stages=3000:words=0.2,lines=0.3,numbers=0.5"
"$HEADRACE" train other --run-folder runs/two "${shape[@]}" --policy odm >/dev/null 2>&1
refused 1 "it lacks 'numbers'; replay it on the corpus of its run" --policy replay --option ledger=runs/two
sed '20s/"asked":\[/"asked":[1,/' runs/odm/ledger.jsonl >damaged.jsonl
sed 1d runs/odm/ledger.jsonl >headless.jsonl
refused 1 "line 20 of the ledger" --policy replay --option ledger=damaged.jsonl

refused 1 "it is no header, with which a ledger begins" --policy replay --option ledger=headless.jsonl
refused 1 "cannot open nowhere/saved.policy.tmp" --policy ac-odm --save-policy nowhere/saved.policy
refused 1 "cannot open runs" --policy ac-odm --save-policy runs
[ ! -e runs.tmp ] || fail "--save-policy left runs.tmp behind"
refused 2 "has no option 'from'" --policy odm --policy-from small.policy
refused 2 "'heads' is none of" --policy ac-odm --gradients heads
refused 2 "is nan" --option weights=words=nan,lines=0.5,numbers=0.5
refused 2 "cannot all have the floor" --option floor=0.4

# What is explained is what is trained: groups of rows, and what is refused.
explain=(explain corpus --rows 12 --sequence-length 64 --steps "$steps")
"$HEADRACE" "${explain[@]}" --policy replay --option ledger=runs/ac-odm --json >explained.json 2>err
python3 - <<'PYTHON' || fail "what is explained of a replay is not what it draws: $(cat explained.json)"
import json
explained = json.load(open("explained.json"))
record = json.load(open("runs/ac-odm-replayed/record.json"))
assert [domain["tokens"] for domain in explained["domains"]] == [domain["token_count"] for domain in record["domains"]]
assert explained["grouping"] == {"micro_batch_rows": 2, "every_domain": True}
PYTHON
"$HEADRACE" "${explain[@]}" --policy ac-odm >out 2>err
grep -q "rows come in micro-batches of 2 of one domain" out || fail "no groups are explained: $(cat out)"
if grep -q "means over the run" out; then fail "what changes on feedback is explained as a schedule: $(cat out)"; fi
code=0
"$HEADRACE" "${explain[@]}" --rows 4 --policy ac-odm >out 2>err || code=$?
[ "$code" -eq 1 ] && grep -q "each of 3 needs two rows" err || fail "explain does what training refuses: $(cat out err)"

echo "policies train, resume, replay and carry over as they should"
