"""Headrace's descriptions of corpora that others wrote; the one place that knows their keys."""

from __future__ import annotations

import json
from pathlib import Path

from .tokens import FlatCorpus

PATTERNS = {"mds": "{name}", "mds-zstd": "{name}", "megatron": "{name}.idx", "json-lines": "{name}-*.jsonl.zst"}


def write(path: Path, form: str, names: list[str], corpus: FlatCorpus | None) -> None:
    """Writes the description of the domains `names` in the format `form`, in the folder of `path`.

    `corpus` tells the vocabulary; text has none and is read as bytes.
    """
    tokenizer: dict[str, object] = {"name": "bytes", "vocabulary_size": 257, "end_of_text": 256}
    if corpus is not None:
        tokenizer = {
            "name": "byte-level-bpe",
            "vocabulary_size": corpus.vocabulary_size,
            "end_of_text": corpus.end_of_text,
        }
    domains = [{"name": name, **_domain(form, name)} for name in names]
    record = {
        "format": "headrace-corpus-spec",
        "version": 1,
        "name": "peers",
        "tokenizer": tokenizer,
        "domains": domains,
    }
    path.write_text(json.dumps(record, indent=1))


def _domain(form: str, name: str) -> dict[str, object]:
    place = PATTERNS[form].format(name=name)
    if form.startswith("mds"):
        return {"format": "mds", "path": place, "column": "tokens", "samples": "joined"}
    if form == "megatron":
        return {"format": "megatron", "path": place}
    return {"format": "jsonl", "path": place, "field": "text"}
