#!/usr/bin/env bash
# Makes the steps of a training run again from single lines of its ledger, and reads what comes out with another program's eyes:
# NumPy's file format by the standard library, the rows from the flat tokens that `zstd -d` gives, hashes against each other.
# deadline: 120
set -euo pipefail

: "${HEADRACE:?the built command}" "${SCRATCH:?an empty folder}"
cd "$SCRATCH"

fail() {
  printf 'replay: %s\n' "$*" >&2
  exit 1
}

# refused CODE TEXT COMMAND…: the command must exit with CODE and say TEXT.
refused() {
  local expected=$1 text=$2 code=0
  shift 2
  "$HEADRACE" "$@" >out 2>err </dev/null || code=$?
  [ "$code" -eq "$expected" ] || fail "'headrace $*' exited with $code, not $expected: $(cat out err)"
  grep -qF -- "$text" err || fail "no '$text' in: $(cat err)"
}

python3 - <<'PYTHON'
import json, random
words = random.Random(5)
def text(count):
    return " ".join("".join(words.choice("abcdefghij") for _ in range(words.randint(2, 8))) for _ in range(count))
for name, documents in [("prose", 300), ("lines", 900)]:
    with open(f"{name}.jsonl", "w") as lines:
        for _ in range(documents):
            lines.write(json.dumps({"text": text(words.randint(1, 400)) + "\x1b[31m\n\u202eé"}) + "\n")
PYTHON
"$HEADRACE" pack -o corpus --domain prose=prose.jsonl --domain lines=lines.jsonl --held-out 0.1 >/dev/null 2>&1
"$HEADRACE" train corpus --run-folder run --steps 12 --rows 6 --sequence-length 64 --layers 1 --width 32 --heads 2 \
  --epoch-cap prose=0.005 --mixture prose=0.7,lines=0.3 >/dev/null 2>&1

for step in $(seq 1 12); do
  "$HEADRACE" replay run corpus --step "$step" --json --text --tokens "$step.npy" >"$step.json"
done
"$HEADRACE" replay run/ledger.jsonl corpus --step 5 --json --text >again.json
"$HEADRACE" replay run corpus --step 5 --json --token-type uint16 --tokens narrow.npy --rows 1...2 >narrow.json
"$HEADRACE" replay run corpus --step 5 --json --rows '1..<3' >rows.json
"$HEADRACE" replay run corpus --step 5 --text >text.txt
"$HEADRACE" replay run corpus --step 5 >table.txt
if LC_ALL=C tr -d '\n' <text.txt | LC_ALL=C grep -q '[[:cntrl:]]'; then fail "control characters of a text are printed"; fi

python3 - <<'PYTHON'
import ast, glob, json, struct, subprocess

def array(path):
    """The type, shape and rows of a .npy file."""
    data = open(path, "rb").read()
    assert data[:8] == b"\x93NUMPY\x01\x00", path
    size, = struct.unpack("<H", data[8:10])
    assert (10 + size) % 64 == 0 and data[10 + size - 1:10 + size] == b"\n", path
    header = ast.literal_eval(data[10:10 + size].decode("latin1"))
    assert header["fortran_order"] is False, path
    rows, columns = header["shape"]
    code = {"<i8": "q", "<u2": "H"}[header["descr"]]
    values = struct.unpack(f"<{rows * columns}{code}", data[10 + size:])
    return header["descr"], [values[row * columns:(row + 1) * columns] for row in range(rows)]

# The flat tokens of every shard.
shards = {}
for path in glob.glob("corpus/*/train-*.tokens.zst"):
    data = subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    shards[path[len("corpus/"):]] = struct.unpack(f"<{len(data) // 2}H", data)

ledger = [json.loads(line) for line in open("run/ledger.jsonl")][1:]
domains = ["prose", "lines"]
assert len(ledger) == 12
for line in ledger:
    step = line["step"]
    record = json.load(open(f"{step}.json"))
    kind, rows = array(f"{step}.npy")
    assert kind == "<i8" and len(rows) == record["row_count"] == line["rows"] == 6
    assert [sum(row["domain"] == name for row in record["rows"]) for name in domains] == line["drawn"], step
    positions = dict(zip(domains, line["positions"]))
    for row, tokens in zip(record["rows"], rows):
        assert row["position"] == positions[row["domain"]], (step, row)
        positions[row["domain"]] += 1
        shard, offset = shards[row["shard"]], row["token_offset"]
        assert shard[offset:offset + 65] == tokens, (step, row)
        assert row["tokens"] == list(tokens[:8])
        # The tokenizer's end-of-text is 256.
        before = shard[:offset]
        assert row["document"] == before.count(256), (step, row)
        assert row["offset_in_document"] == offset - (offset - before[::-1].index(256) if 256 in before else 0)
        assert row["document_count"] == tokens[:-1].count(256) + 1
        assert row["text"].isprintable()
# The cap was reached within the run: the effective mixture changed.
assert ledger[0]["effective"] != ledger[-1]["effective"]

assert json.load(open("again.json"))["token_hash"] == json.load(open("5.json"))["token_hash"]
assert array("narrow.npy") == ("<u2", array("5.npy")[1])
narrow, some = json.load(open("narrow.json")), json.load(open("rows.json"))
assert narrow["token_hash"] == json.load(open("5.json"))["token_hash"]
assert [row["row"] for row in narrow["rows"]] == [row["row"] for row in some["rows"]] == [1, 2]
assert len({json.load(open(f"{step}.json"))["token_hash"] for step in range(1, 13)}) == 12
table = open("table.txt").read()
for row in json.load(open("5.json"))["rows"]:
    assert row["shard"] in table and " ".join(map(str, row["tokens"])) in table

try:
    import numpy
    assert (numpy.load("5.npy") == numpy.array(array("5.npy")[1])).all()
    assert numpy.load("narrow.npy").dtype == numpy.uint16
except ImportError:
    pass
PYTHON

refused 1 "has no step 13; the last one up to there is 12" replay run corpus --step 13
refused 1 "5.npy stands there already. Give --force" replay run corpus --step 6 --tokens 5.npy
"$HEADRACE" replay run corpus --step 6 --tokens 5.npy --force >/dev/null
cmp -s 5.npy 6.npy || fail "--force did not replace the file"
refused 1 "cannot open" replay run corpus --step 6 --tokens no/such/folder/6.npy
refused 1 "counted from 0; --rows 5...6 goes past them" replay run corpus --step 6 --rows 5...6
refused 2 "steps are counted from 1" replay run corpus --step 0
refused 2 "--rows" replay run corpus --step 1 --rows 3
refused 2 "--force is for the file" replay run corpus --step 1 --force
refused 1 "cannot open nowhere" replay nowhere corpus --step 1
"$HEADRACE" pack -o other --domain prose=prose.jsonl --domain lines=lines.jsonl >/dev/null 2>&1
refused 1 "written with fingerprint of domain prose" replay run other --step 1
sed 's/"order_version":1/"order_version":2/' run/ledger.jsonl >foreign.jsonl
refused 1 "written with order version 2; here it is 1" replay foreign.jsonl corpus --step 1
python3 - <<'PYTHON'
import json
lines = open("run/ledger.jsonl").read().splitlines()
line = json.loads(lines[3])
line["credits"] = [-credit for credit in line["credits"]]
line["positions"] = [position + 1 for position in line["positions"]]
line["drawn"] = line["drawn"][::-1]
lines[3] = json.dumps(line)
open("changed.jsonl", "w").write("\n".join(lines) + "\n")
PYTHON
refused 1 "the line was changed or damaged" replay changed.jsonl corpus --step 3
echo "12 steps of a run come out of their ledger lines alone, with the places that they came from"
