"""Whether what a loader yields is the corpus: no peer may be fast, or slow, because it yields something else."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, Iterable

import numpy as np

from . import text, tokens
from .jobs import Job

BATCHES = 64
ROWS_LOOKED_UP = 16
# Shorter pieces of documents are found anywhere.
LEAST_PIECE = 4
BYTES_END = np.array([256], dtype="<u2")


def check(driver: ModuleType, job: Job) -> dict[str, Any]:
    batches = itertools.islice(iter(driver.open(job, None)), BATCHES)
    if getattr(driver, "UNIT", "token") == "byte":
        return check_texts(itertools.chain.from_iterable(batches), Path(job.flat), job.names)
    rows = np.concatenate([np.asarray(batch, dtype=np.int64) for batch in batches])
    return check_rows(rows, tokens.read(Path(job.flat)))


def check_rows(rows: np.ndarray, corpus: tokens.FlatCorpus) -> dict[str, Any]:
    """Looks some rows up in the corpus, piece by piece, and counts the rows that come twice.

    A peer may lay documents end to end in an order of its own; so a row is looked up in pieces that end with a
    document.
    """
    return look_up(rows, [np.asarray(domain.tokens()) for domain in corpus.domains], corpus.end_of_text)


def look_up(rows: np.ndarray, haystacks: list[np.ndarray], end_of_text: int) -> dict[str, Any]:
    chosen = rows[np.linspace(0, len(rows) - 1, ROWS_LOOKED_UP).astype(int)]
    unknown = sum(
        not any(stands_in(piece, haystack) for haystack in haystacks)
        for row in chosen
        for piece in pieces(row, end_of_text)
    )
    distinct = len({row.tobytes() for row in rows})
    return {"rows": len(rows), "unknown_pieces": unknown, "rows_twice": len(rows) - distinct}


def pieces(row: np.ndarray, end_of_text: int) -> list[np.ndarray]:
    """The row's parts of documents, end-of-text included, as UInt16."""
    if row.min() < 0 or row.max() >= 1 << 16:
        raise RuntimeError("a row has tokens that no UInt16 is")
    parts = np.split(row.astype("<u2"), np.flatnonzero(row == end_of_text) + 1)
    return [part for part in parts if len(part) >= LEAST_PIECE]


def stands_in(piece: np.ndarray, tokens: np.ndarray) -> bool:
    """Whether the tokens of `piece` stand somewhere in `tokens`, one after another."""
    places = np.flatnonzero(tokens[: len(tokens) - len(piece) + 1] == piece[0])
    for offset in range(1, len(piece)):
        if len(places) == 0:
            return False
        places = places[tokens[places + offset] == piece[offset]]
    return len(places) > 0


def check_texts(found: Iterable[str], text_folder: Path, names: list[str]) -> dict[str, Any]:
    known = {document for name in names for document in text.documents(text_folder / f"{name}.jsonl")}
    texts = list(found)
    unknown = sum(document not in known for document in texts)
    return {"rows": len(texts), "unknown_pieces": unknown, "rows_twice": len(texts) - len(set(texts))}


def text_as_tokens(path: Path) -> np.ndarray:
    """A domain's text as Headrace's bytes tokenizer has it: bytes, and 256 after every document."""
    parts = []
    for document in text.documents(path):
        parts += [np.frombuffer(document.encode(), dtype=np.uint8).astype("<u2"), BYTES_END]
    return np.concatenate(parts)


def main(arguments: list[str]) -> None:
    """Checks a file of Int64 rows of ROW tokens: `python -m peers.checks FILE ROW FLAT [NAMES…]`.

    With names FLAT is a folder of texts, and the tokens are bytes.
    """
    rows = np.fromfile(arguments[0], dtype="<i8").reshape(-1, int(arguments[1]))
    names = arguments[3:]
    if names:
        haystacks = [text_as_tokens(Path(arguments[2]) / f"{name}.jsonl") for name in names]
        record = look_up(rows, haystacks, int(BYTES_END[0]))
    else:
        record = check_rows(rows, tokens.read(Path(arguments[2])))
    print(json.dumps(record))


if __name__ == "__main__":
    main(sys.argv[1:])
