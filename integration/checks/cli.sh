#!/usr/bin/env bash
# Checks the command as a user meets it: what it prints, its exit codes, and that piped output is plain.
# deadline: 120
#
# Outputs that are the same everywhere stand in integration/cli/. RECORD_SNAPSHOTS=1 writes them anew; the check fails then.
set -euo pipefail

: "${HEADRACE:?the built command}" "${SCRATCH:?an empty folder}"
golden=$PWD/integration/cli
cd "$SCRATCH"

fail() {
  printf 'cli: %s\n' "$*" >&2
  exit 1
}

# run CODE COMMAND…: runs headrace, keeps what it prints in out and err, and compares the exit code.
run() {
  local expected=$1 code=0
  shift
  "$HEADRACE" "$@" >out 2>err </dev/null || code=$?
  [ "$code" -eq "$expected" ] || fail "'headrace $*' exited with $code, not $expected: $(cat out err)"
  # Line feeds are the one control character that a pipe gets.
  if LC_ALL=C tr -d '\n' <out | LC_ALL=C grep -q '[[:cntrl:]]'; then fail "'headrace $*' printed control characters"; fi
  if LC_ALL=C tr -d '\n' <err | LC_ALL=C grep -q '[[:cntrl:]]'; then fail "'headrace $*' complained in control characters"; fi
}

# same NAME: compares what the last run printed with integration/cli/NAME.
recorded=no
same() {
  if [ -n "${RECORD_SNAPSHOTS:-}" ]; then
    cp out "$golden/$1"
    recorded=yes
  else
    diff -u "$golden/$1" out >&2 || fail "'$1' is not what was recorded"
  fi
}

says() { grep -qF -- "$1" "$2" || fail "no '$1' in: $(cat "$2")"; }

# Text that is the same everywhere: seeded words, in a file of its own and in JSON lines.
make_text() {
  mkdir -p text
  python3 - <<'PYTHON'
import json, random
words = random.Random(5)
def text(count):
    return " ".join("".join(words.choice("abcdefghij") for _ in range(words.randint(2, 8))) for _ in range(count))
for number in range(40):
    open(f"text/{number:02}.txt", "w").write(text(400))
with open("lines.jsonl", "w") as lines:
    for _ in range(300):
        lines.write(json.dumps({"text": text(400)}) + "\n")
PYTHON
}

flip_byte() {
  python3 - "$1" "$2" <<'PYTHON'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(-1, 1)
    file.write(bytes([byte ^ 8]))
PYTHON
}

check_pack_and_inspect() {
  make_text
  run 0 pack -o corpus --domain prose=text --domain lines=lines.jsonl --held-out 0.1 --seed 3 --level 3
  says "packed corpus" out
  run 0 pack -o corpus --domain prose=text --domain lines=lines.jsonl --held-out 0.1 --seed 3 --level 3
  says "corpus was already packed" out
  # Compressed sizes and checksums differ between versions of libzstd; counts do not.
  run 0 inspect corpus --json
  python3 - <<'PYTHON'
import json
corpus = json.load(open("out"))
for domain in corpus["domains"]:
    del domain["fingerprint"]
    for split in domain["splits"]:
        del split["byte_count"], split["bytes_per_token"]
json.dump(corpus, open("out", "w"), indent=2, sort_keys=True)
open("out", "a").write("\n")
PYTHON
  same inspect.json
  run 0 inspect corpus
  says "bytes, 257 ids" out
  run 0 inspect corpus/lines/train-00000.tokens.zst --frames --frame 1 --tokens 12
  says "as text:" out
  run 0 inspect corpus/lines/train-00000.tokens.zst --json
  local tokens
  tokens=$(python3 -c 'import json; print(json.load(open("out"))["token_count"])')
  [ "$(zstd -dcq corpus/lines/train-00000.tokens.zst | wc -c)" -eq $((2 * tokens)) ] ||
    fail "zstd -d does not give 2 bytes for each of $tokens tokens"
  run 1 inspect lines.jsonl
  run 1 inspect text/00.txt
  says "neither a corpus, a token shard, a checkpoint nor a ledger" err
}

check_verify() {
  run 0 verify corpus
  says "nothing is wrong" out
  cp -r corpus damaged
  run 0 inspect damaged/lines/train-00000.tokens.zst --frames --json
  local offset
  offset=$(python3 -c 'import json; print(json.load(open("out"))["frames"][1]["byte_offset"])')
  flip_byte damaged/lines/train-00000.tokens.zst $((offset + 500))
  truncate -s -3 damaged/prose/held_out-00000.tokens.zst
  run 1 verify damaged
  says "domain lines, shard lines/train-00000.tokens.zst, frame 1, byte $offset: its bytes have the hash" out
  says "domain prose, shard prose/held_out-00000.tokens.zst: its size in bytes is" out
  says "2 faults in 2 shards" out
  run 1 verify damaged --domain lines --json
  python3 - "$offset" <<'PYTHON' || fail "verify --json says otherwise"
import json, sys
report = json.load(open("out"))
fault, = report["faults"]
assert not report["is_clean"] and fault["domain"] == "lines" and fault["split"] == "train"
assert fault["frame"] == 1 and fault["byte_offset"] == int(sys.argv[1])
PYTHON
  run 1 verify nowhere
  says "cannot open nowhere/corpus.json" err
  run 1 verify corpus --domain line
}

# A spec of every format: what is said of it, and the faults that are found in it.
check_spec() {
  run 0 export corpus --format mds -o mds
  run 0 export corpus --format mds -o raw --compression none
  zstd -q lines.jsonl
  python3 - <<'PYTHON'
import json, re, struct
path = "raw/lines/train/index.json"
text = open(path).read()
open(path, "w").write(re.sub(r'"hashes": \{[^}]*\}', '"hashes": {}', text))
tokens = [list(json.loads(line)["text"].encode()) + [256] for line in open("lines.jsonl")][:50]
begins = [2 * sum(map(len, tokens[:number])) for number in range(len(tokens))]
count = len(tokens)
open("books.bin", "wb").write(b"".join(struct.pack(f"<{len(each)}H", *each) for each in tokens))
open("books.idx", "wb").write(
    b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, count, count + 1)
    + struct.pack(f"<{count}i", *map(len, tokens)) + struct.pack(f"<{count}q", *begins)
    + struct.pack(f"<{count + 1}q", *range(count + 1)))
domains = [
    {"name": "web", "format": "native", "train": ["corpus/lines/train-*.tokens.zst"]},
    {"name": "code", "format": "mds", "train": ["mds/lines/train"], "held_out": ["mds/lines/held_out"]},
    {"name": "raw", "format": "mds", "train": ["raw/lines/train"]},
    {"name": "books", "format": "megatron", "train": ["books"]},
    {"name": "news", "format": "jsonl", "train": ["lines.jsonl*"], "field": "text"},
]
tokenizer = {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256}
json.dump({"format": "headrace-spec", "version": 1, "name": "mixed", "tokenizer": tokenizer, "domains": domains},
          open("mixed.json", "w"))
PYTHON
  run 0 inspect mixed.json
  says 'JSON lines, field "text"' out
  says "unknown until read" out
  says "warning: shards of domain raw, train, without hash or checksum: 1 of 1" out
  says "warning: shards of domain news, train, without hash or checksum: 1 of 2" out
  run 0 inspect mixed.json --json
  run 0 explain mixed.json --mixture uniform --steps 10 --sequence-length 128
  says "as streams, shard after shard" out
  says "warning: shards of domain books without known hash or checksum: 1 of 1" out
  run 0 verify mixed.json
  says "nothing is wrong" out
  says "note: shards of domain books" out
  flip_byte mds/lines/train/shard.00000.mds.zstd 5000
  flip_byte books.bin 1001
  flip_byte lines.jsonl 0
  run 1 verify mixed.json --quarantine list.json
  says "domain code, shard mds/lines/train/shard.00000.mds.zstd: its xxh64 is" out
  says "domain books, shard books.bin, byte 1000: its token is" out
  says "domain news, shard lines.jsonl, line 1, byte 0: 's' does not belong there in JSON" out
  says "3 faults in 3 shards" out
  says "note: 1 fault cannot be quarantined: faults of text" err
  flip_byte lines.jsonl 0
  [ "$(grep -c '"shard"' list.json)" -eq 2 ] || fail "the list has other entries: $(cat list.json)"
  run 1 inspect mds/lines/train
  says '"train": ["train"]' err
  run 1 inspect books.idx
  says '"format": "megatron", "train": ["books"]' err
}

check_explain() {
  run 0 explain corpus --rows 8 --sequence-length 128 --steps 100 --mixture lines=0.75,prose=0.25 --epoch-cap prose=0.2
  same explain.txt
  run 0 explain corpus --rows 8 --sequence-length 128 --mixture uniform --json
  same explain.json
  run 0 explain --policies
  says "odm: A bandit on the losses" out
  says "replay: The mixtures of a recorded run" out
  run 0 explain corpus --rows 8 --sequence-length 128 --steps 100 --policy schedule \
    --option 'stages=50:lines=1,prose=0;lines=0.5,prose=0.5'
  says "the mixture follows the steps" out
  says "75.0" out
  run 1 explain corpus --rows 8 --sequence-length 128 --steps 100 --policy schedule --option 'stages=50:lines=1,prose=0'
  says "the schedule ends after 50 steps" err
  run 2 explain corpus --policy odm --option form=ucb
  says "one of code, paper, exp3" err
  run 2 explain corpus --rows 8 --sequence-length 128 --option floor=0.6
  says "cannot all have the floor of 0.6" err
  run 1 explain corpus --sequence-length 1000
  says "Take 512 or 1024" err
  run 1 explain corpus --byte-budget 1KiB
  says "the least that does" err
}

# Shards at a level below 0 hold the same tokens; a benchmark goes on where a run would have come to.
check_levels_and_streams() {
  run 0 pack -o fast --domain prose=text --domain lines=lines.jsonl --held-out 0.1 --seed 3 --level -1
  local shard
  for shard in corpus/*/*.tokens.zst; do
    cmp <(zstd -dcq "$shard") <(zstd -dcq "fast/${shard#corpus/}") || fail "level -1 changes the tokens of $shard"
  done
  run 1 pack -o slow --domain prose=text --level 0
  says "must be in −7…−1 or 1…19" err
  run 0 bench stream corpus --rows 8 --sequence-length 128 --batches 5 --warm-up 1 --resume-step 10000000 --json
  grep -q '"step":10000006' out || fail "a run at step 10^7 does not go on there: $(cat out)"
  run 0 bench stream corpus --rows 8 --sequence-length 128 --batches 5 --resume-at-position 0.5
  says "per token" out
}

# A run over damage: it ends, or leaves the frame out when it meets it, or from the beginning.
check_quarantine() {
  local shape=(--rows 8 --sequence-length 128 --mixture uniform --steps 6)
  local model=(--layers 1 --width 16 --heads 2 --evaluation-tokens 256 --compute-threads 1)
  cp -r corpus torn
  cp damaged/lines/train-00000.tokens.zst torn/lines/
  run 1 verify damaged --quarantine damaged.json
  run 0 explain damaged "${shape[@]}" --quarantined damaged.json
  says "quarantine takes 2,048 sequences of 5,182 out of domain lines" out
  run 1 explain damaged "${shape[@]}" --quarantined nowhere.json
  says "cannot open nowhere.json" err
  run 1 train torn --run-folder runs/ended "${shape[@]}" "${model[@]}"
  says "frame 1" err
  run 0 train torn --run-folder runs/collected "${shape[@]}" "${model[@]}" --skip-damage
  says "frame 1 of lines/train-00000.tokens.zst in domain lines joined the quarantine list" err
  grep -q '"rule" : "collect"' runs/collected/configuration.json || fail "the run does not say that it collects"
  # The held-out shard of prose is damaged too, so that the list is needed for the evaluations.
  run 0 train damaged --run-folder runs/listed "${shape[@]}" "${model[@]}" --quarantined damaged.json
  rm damaged.json
  run 0 train --run-folder runs/listed --resume
  run 1 train damaged --run-folder runs/listed --resume "${shape[@]}" "${model[@]}"
  says "quarantine" err
}

check_usage() {
  run 0 --version
  run 0 --help
  run 0
  local command
  for command in pack inspect verify explain replay export "bench loader"; do
    # shellcheck disable=SC2086  # Two words are a command and its subcommand.
    run 0 $command --help
    says "EXAMPLE" out
  done
  run 2 unpack
  run 2 pack
  run 2 verify
  run 2 verify corpus --threads 0
  run 2 explain corpus --policy statik
  says "did you mean 'static'" err
  run 2 explain corpus --mixture unifrm
  run 2 explain corpus --epoch-cap prose
  run 2 explain corpus --steps 1 --tokens 1
  run 2 explain corpus --byte-budget much
  run 2 inspect corpus --frames
  if [ -e /dev/full ]; then
    local code=0
    "$HEADRACE" inspect corpus >/dev/full 2>err || code=$?
    [ "$code" -eq 1 ] || fail "a full disk under standard output gave the exit code $code"
    says "cannot write standard output" err
  fi
}

# A disk that is full: the error names the file and the byte, no corpus stands there, and the same command goes on.
check_full_disk() {
  local code=0
  # A file of at most 64 KiB is the nearest thing to a full disk that needs no privileges.
  (ulimit -f 64 && exec "$HEADRACE" pack -o small --domain lines=lines.jsonl >out 2>err </dev/null) || code=$?
  [ "$code" -eq 1 ] || fail "a full disk gave packing the exit code $code: $(cat err)"
  says "cannot write small.partial/" err
  says "at byte" err
  [ ! -e small ] || fail "a corpus stands where packing failed"
  run 0 pack -o small --domain lines=lines.jsonl
  run 0 verify small
  code=0
  (ulimit -f 64 && exec "$HEADRACE" export small -o large --compression none >out 2>err </dev/null) || code=$?
  [ "$code" -eq 1 ] || fail "a full disk gave the export the exit code $code: $(cat err)"
  says "cannot write large.partial/lines/train/shard.00000.mds" err
}

# On a terminal there is a progress bar, which ends in a line of its own or is taken away.
check_terminal() {
  command -v script >/dev/null || return 0
  [ "$(uname)" = Linux ] || return 0
  script -qec "$HEADRACE verify corpus" typescript >/dev/null </dev/null
  grep -q "nothing is wrong" typescript || fail "verify says nothing on a terminal"
}

check_pack_and_inspect
check_verify
check_spec
check_explain
check_levels_and_streams
check_quarantine
check_usage
check_full_disk
check_terminal
[ "$recorded" = no ] || fail "recorded the outputs in integration/cli; look at them and commit them"
echo "the command prints and exits as it should"
