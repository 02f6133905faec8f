"""Headrace's specs of corpora that others wrote; the one place that knows their keys (CorpusSpec.swift has them)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# The version of the index that ends a native shard: shards of another version are made anew.
INDEX_VERSION = 2
# Native shards at the usual zstd level, and at one that takes less of the CPU to read.
NATIVE_FORMS = ("native", "native-fast")
BYTES = {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256}


def write(folder: Path, form: str, flat: Path) -> Path:
    """Writes spec.json into `folder`, which holds the domains in the format `form`, and returns its path.

    `flat` is the flat corpus, whose vocabulary counts; text is read as bytes.
    """
    if form == "json-lines":
        names = [domain["name"] for domain in json.loads((folder / "files.json").read_text())]
        tokenizer: dict[str, Any] = BYTES
    else:
        record = json.loads((flat / "corpus.json").read_text())
        names = [domain["name"] for domain in record["domains"]]
        sizes = {key: record[key] for key in ("vocabulary_size", "end_of_text")}
        tokenizer = {"name": "byte-level-bpe", **sizes}
    domains = [{"name": name, **domain(form, name)} for name in names]
    spec = {"format": "headrace-spec", "version": 1, "name": "peers", "tokenizer": tokenizer, "domains": domains}
    path = folder / "spec.json"
    path.write_text(json.dumps(spec, indent=1))
    return path


def domain(form: str, name: str) -> dict[str, Any]:
    """The keys of one domain besides its name."""
    if form in ("mds", "mds-zstd"):
        return {"format": "mds", "train": [name], "column": "tokens", "samples": "joined"}
    if form == "megatron":
        return {"format": "megatron", "train": [name]}
    return {"format": "jsonl", "train": [f"{name}-*.jsonl.zst"], "field": "text"}


def text_mixture(folder: Path) -> str:
    """The domains' shares of the text: what is natural for tokens has to be said for text, which is not counted."""
    domains = json.loads((folder / "files.json").read_text())
    total = sum(domain["text_bytes"] for domain in domains)
    return ",".join(f"{domain['name']}={domain['text_bytes'] / total:.12f}" for domain in domains)
