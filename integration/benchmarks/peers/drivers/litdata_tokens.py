"""litdata over its own chunks, raw or in zstd: TokensLoader, CombinedStreamingDataset, StreamingDataLoader."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch
from litdata import CombinedStreamingDataset, StreamingDataLoader, StreamingDataset, TokensLoader

from ..jobs import Job
from ..tokens import read


def settings(job: Job) -> str:
    return (
        "TokensLoader, StreamingDataset(shuffle, drop_last), CombinedStreamingDataset(stratified), "
        f"StreamingDataLoader(num_workers={job.workers})"
    )


def stack(rows: list[torch.Tensor]) -> torch.Tensor:
    batch = np.empty((len(rows), len(rows[0])), dtype=np.int64)
    for index, row in enumerate(rows):
        batch[index] = row.numpy()
    return torch.from_numpy(batch)


def linked(folder: Path, scratch: Path) -> None:
    """Links the chunks into an empty folder: a compressed chunk is replaced by what it decompresses to."""
    for path in folder.rglob("*"):
        if path.is_file():
            target = scratch / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


class Batches:
    def __init__(self, job: Job, state: Any) -> None:
        corpus = read(Path(job.flat))
        scratch = Path(job.scratch)
        linked(Path(job.folder), scratch)
        parts = [
            StreamingDataset(
                str(scratch / domain.name),
                item_loader=TokensLoader(block_size=job.sequence_length),
                shuffle=True,
                drop_last=False,
                seed=job.seed,
                # The chunks lie in another folder than those that the state was made with.
                force_override_state_dict=state is not None,
            )
            for domain in corpus.domains
        ]
        mixed = CombinedStreamingDataset(
            parts,
            seed=job.seed,
            weights=corpus.weights(),
            iterate_over_all=False,
            batching_method="stratified",
            force_override_state_dict=state is not None,
        )
        self.loader = StreamingDataLoader(
            mixed,
            batch_size=job.rows,
            num_workers=job.workers,
            collate_fn=stack,
            drop_last=True,
        )
        if state is not None:
            self.loader.load_state_dict(state)
        self.rows = job.rows
        self.batches = self._epochs()

    def _epochs(self) -> Iterator[torch.Tensor]:
        while True:
            for batch in self.loader:
                if len(batch) == self.rows:  # The last one of an epoch is smaller.
                    yield batch

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> torch.Tensor:
        return next(self.batches)


def open(job: Job, state: Any) -> Batches:
    return Batches(job, state)


def state_of(batches: Batches) -> Any:
    return batches.loader.state_dict()
