"""MosaicML's own library on the other side: it writes shards for Headrace to read, and reads what Headrace exports.

    python3 interop.py write FOLDER            shards of every kind, and cases.json, which says what they hold
    python3 interop.py read CORPUS EXPORT T    compares an export of a corpus with the corpus's own shards; T is 0 where
                                               samples are documents
"""

from __future__ import annotations

import importlib.machinery
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path


def stand_in_for_torchvision() -> None:
    """Lets the library be imported where torchvision does not fit the torch that is there: nothing here uses it."""
    for name in ["torchvision", "torchvision.datasets", "torchvision.transforms", "torchvision.transforms.functional"]:
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)
    sys.modules["torchvision.datasets"].VisionDataset = type("VisionDataset", (), {})
    sys.modules["torchvision.transforms.functional"].to_tensor = None


stand_in_for_torchvision()

import numpy as np
from streaming import MDSWriter, StreamingDataset
from streaming.base.util import clean_stale_shared_memory, merge_index

END_OF_TEXT = 64_999
SAMPLE_COUNT = 60


def documents(generator: np.random.Generator, same_size: bool) -> list[np.ndarray]:
    sizes = [100] * SAMPLE_COUNT if same_size else generator.integers(1, 400, SAMPLE_COUNT)
    return [generator.integers(0, 60_000, size) for size in sizes]


# The encoding of the column, the numpy type that is written, the type to declare, and whether samples have one size.
FORMS = [
    ("bytes", "uint16", "uint16", False),
    ("bytes", "int64", "int64", True),
    ("ndarray:int32", "int32", None, False),
    ("ndarray:uint16", "uint16", None, False),
    ("ndarray:int32:100", "int32", None, True),
    ("ndarray", "uint32", None, False),
]
# The compression, the hashes, and whether there are other columns.
STORES = [
    (None, ["sha1", "xxh64"], False),
    (None, None, True),
    ("zstd", ["sha1", "xxh64"], True),
    ("zstd:7", None, False),
    ("zstd:7", ["md5", "xxh3_64"], False),
]


def write_folder(folder: Path, samples: list[np.ndarray], form, store, rule: str) -> dict:
    encoding, number, declared, same_size = form
    compression, hashes, has_more = store
    columns = {"tokens": encoding}
    if has_more:
        columns |= {"a_text": "str", "b_number": "int16", "z_object": "pkl", "y_fixed": "float64"}
    with MDSWriter(
        out=str(folder), columns=columns, compression=compression, hashes=hashes, size_limit=1 << 14, progress_bar=False
    ) as writer:
        for index, sample in enumerate(samples):
            value = sample.astype(number)
            row = {"tokens": value.tobytes() if encoding == "bytes" else value}
            if has_more:
                row |= {"a_text": "x" * index, "b_number": np.int16(index), "z_object": [index], "y_fixed": np.float64(1)}
            writer.write(row)
    tokens = [list(map(int, sample)) + ([END_OF_TEXT] if rule.endswith("text") else []) for sample in samples]
    return {
        "column": "tokens",
        "stored_type": declared,
        "samples": rule,
        "tokens": sum(tokens, []),
        "sample_token_count": 100 if same_size else None,
        "has_hash": bool(hashes),
        "shard_count": len(json.loads((folder / "index.json").read_text())["shards"]),
    }


def write(root: Path) -> None:
    generator = np.random.default_rng(7)
    cases = []
    for form in FORMS:
        for store in STORES:
            rule = "joined" if store[2] else "joined-with-end-of-text"
            if form[3] and not store[2]:
                rule = "sequences"
            name = f"{form[0]}-{form[1]}-{store[0]}-{len(cases)}".replace(":", "_").replace(",", "_")
            cases.append({"name": name} | write_folder(root / name, documents(generator, form[3]), form, store, rule))
    # Sub-directories, with and without an index above them.
    for name in ["below", "merged"]:
        parts = [
            write_folder(root / name / part, documents(generator, False), FORMS[2], store, "joined")
            for part, store in [("a", STORES[0]), ("b", STORES[2])]
        ]
        cases.append(
            parts[0]
            | {
                "name": name,
                "tokens": sum((part["tokens"] for part in parts), []),
                "shard_count": sum(part["shard_count"] for part in parts),
            }
        )
    merge_index(str(root / "merged"), keep_local=True)
    for part in ["a", "b"]:
        (root / "merged" / part / "index.json").unlink()
    (root / "cases.json").write_text(json.dumps(cases))
    print(f"wrote {len(cases)} folders")


def native_shards(corpus: Path, shards: list[dict], width: int) -> list[np.ndarray]:
    return [
        np.frombuffer(
            subprocess.run(["zstd", "-dcq", corpus / shard["path"]], check=True, capture_output=True).stdout,
            dtype=f"<u{width}",
        )
        for shard in shards
    ]


def expected_samples(tokens: np.ndarray, end_of_text: int, length: int) -> list[np.ndarray]:
    if length > 0:
        return [tokens[i * length : (i + 1) * length + 1] for i in range((len(tokens) - 1) // length)]
    return np.split(tokens, np.flatnonzero(tokens == end_of_text) + 1)[:-1]


def read(corpus: Path, export: Path, length: int) -> None:
    manifest = json.loads((corpus / "corpus.json").read_text())
    count = 0
    for domain in manifest["domains"]:
        for split, shards in domain["splits"].items():
            if not shards:
                continue
            expected = [
                sample
                for tokens in native_shards(corpus, shards, manifest["token_width"])
                for sample in expected_samples(tokens, manifest["tokenizer"]["end_of_text"], length)
            ]
            for algorithm in ["xxh64", "sha1"]:
                # Decompressed shards are left beside the others, and would be taken as they are the next time.
                folder = export.parent / f"copy-{domain['name']}-{split}-{algorithm}"
                shutil.copytree(export / domain["name"] / split, folder)
                clean_stale_shared_memory()
                stored = StreamingDataset(local=str(folder), validate_hash=algorithm, batch_size=1)
                assert len(stored) == len(expected), (len(stored), len(expected))
                for index, sample in enumerate(expected):
                    assert np.array_equal(stored[index]["tokens"], sample), (domain["name"], split, index)
                count += len(expected)
    assert count > 0
    print(f"read {count} samples of {export}, all equal")


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(Path(sys.argv[2]))
    else:
        read(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
