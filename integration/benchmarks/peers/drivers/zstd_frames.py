"""The best that is written by hand in Python: Headrace's own zstd frames, one decoded at a time for each domain."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import zstandard

from ..jobs import Cannot, Job
from ..tokens import read


def settings(job: Job) -> str:
    return "python-zstandard, one frame of 2^18 tokens for each domain, frames and rows in random order"


def open(job: Job, state: Any) -> Iterator[np.ndarray]:
    corpus = read(Path(job.flat))
    generator = np.random.default_rng(job.seed)
    manifest = json.loads((Path(job.folder) / "corpus.json").read_text())
    rows = [
        _rows(Path(job.folder), domain["splits"]["train"], job.sequence_length, generator)
        for domain in manifest["domains"]
    ]
    cumulative = np.cumsum(corpus.weights())
    while True:
        batch = np.empty((job.rows, job.sequence_length), dtype=np.int64)
        domains = np.minimum(np.searchsorted(cumulative, generator.random(job.rows)), len(rows) - 1)
        for row, domain in enumerate(domains.tolist()):
            batch[row] = next(rows[domain])
        yield batch


def _rows(
    folder: Path, shards: list[dict[str, Any]], length: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """One domain's sequences for ever: frames in random order, a frame's sequences in random order."""
    decompressor = zstandard.ZstdDecompressor()
    frames = [place for shard in shards for place in _frames(folder / shard["path"])]
    while True:
        for index in generator.permutation(len(frames)).tolist():
            path, offset, size = frames[index]
            with path.open("rb", buffering=0) as file:
                file.seek(offset)
                tokens = np.frombuffer(decompressor.decompress(file.read(size)), dtype="<u2")
            sequences = tokens[: len(tokens) // length * length].reshape(-1, length)
            for sequence in generator.permutation(len(sequences)).tolist():
                yield sequences[sequence]


def _frames(path: Path) -> list[tuple[Path, int, int]]:
    """Where the shard's frames lie, from the seek table at its end."""
    content = path.read_bytes()
    count, _, magic = struct.unpack_from("<IBI", content, len(content) - 9)
    assert magic == 0x8F92EAB1, f"{path} has no seek table"
    table = len(content) - 9 - 12 * count
    places: list[tuple[Path, int, int]] = []
    offset = 0
    for entry in range(count - 1):  # The last one is the index.
        (size,) = struct.unpack_from("<I", content, table + 12 * entry)
        places.append((path, offset, size))
        offset += size
    return places


def state_at(job: Job, batches: int) -> Any:
    raise Cannot("keeps no state")
