"""grain over flat files, and over ArrayRecord in zstd: random access, mixed by `MapDataset.mix`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import grain
import numpy as np

from ..jobs import Job
from ..tokens import read


def settings(job: Job) -> str:
    source = "ArrayRecordDataSource" if job.form == "array-record" else "np.memmap as a source"
    workers = f"mp_prefetch({job.workers} processes)" if job.workers else "no worker"
    return f"{source}, shuffle, repeat, MapDataset.mix, batch, to_iter_dataset without read threads, {workers}"


class Windows:
    """Consecutive sequences of one flat file."""

    def __init__(self, path: Path, length: int) -> None:
        self.path, self.length = path, length
        self._open()

    def _open(self) -> None:
        tokens = np.memmap(self.path, dtype="<u2", mode="r")
        self.tokens = tokens[: len(tokens) // self.length * self.length].reshape(-1, self.length)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.tokens[index]

    def __getstate__(self) -> tuple[Path, int]:
        return self.path, self.length

    def __setstate__(self, state: tuple[Path, int]) -> None:
        self.path, self.length = state
        self._open()


def decoded(record: bytes) -> np.ndarray:
    return np.frombuffer(record, dtype="<u2")


def stack(rows: list[np.ndarray]) -> np.ndarray:
    batch = np.empty((len(rows), len(rows[0])), dtype=np.int64)
    for index, row in enumerate(rows):
        batch[index] = row
    return batch


def open(job: Job, state: Any) -> Iterator[np.ndarray]:
    corpus = read(Path(job.flat))
    parts = []
    for domain in corpus.domains:
        if job.form == "array-record":
            path = str(Path(job.folder) / f"{domain.name}.array_record")
            part = grain.MapDataset.source(grain.sources.ArrayRecordDataSource(path))
        else:
            part = grain.MapDataset.source(Windows(domain.path, job.sequence_length))
        part = part.seed(job.seed).shuffle().repeat()
        parts.append(part.map(decoded) if job.form == "array-record" else part)
    mixed = grain.MapDataset.mix(parts, weights=corpus.weights()).batch(job.rows, batch_fn=stack)
    # Threads that read ahead help where reads wait; here they only cost.
    data = mixed.to_iter_dataset(grain.ReadOptions(num_threads=0, prefetch_buffer_size=0))
    if job.workers:
        data = data.mp_prefetch(grain.MultiprocessingOptions(num_workers=job.workers))
    batches = iter(data)
    if state is not None:
        batches.set_state(state)
    return batches


def state_of(batches: Any) -> Any:
    return batches.get_state()


def state_at(job: Job, batches: int) -> Any:
    """The state after a batch with its one number changed: grain finds any element from its index."""
    iterator = open(job, None)
    next(iterator)
    state = iterator.get_state()
    if set(state) != {"next_index"}:
        raise RuntimeError(f"grain's state has another form now: {state}")
    return {"next_index": batches}
