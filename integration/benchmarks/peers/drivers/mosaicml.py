"""mosaicml-streaming over MDS shards, raw or in zstd: a stream for each domain, weighted by `proportion`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

from .. import vision_operators  # noqa: F401  Before streaming is imported.

import numpy as np
import torch
from streaming import Stream, StreamingDataLoader, StreamingDataset
from streaming.base.util import clean_stale_shared_memory

from ..jobs import Job
from ..tokens import read

# Its shared memory is only given back when the process comes to its end.
ENDS = True


def settings(job: Job) -> str:
    return (
        "StreamingDataset(shuffle, py1e, 1 canonical node, local shards that were not decompressed before), "
        f"StreamingDataLoader(num_workers={job.workers})"
    )


def stack(samples: list[dict[str, np.ndarray]]) -> torch.Tensor:
    batch = np.empty((len(samples), len(samples[0]["tokens"])), dtype=np.int64)
    for index, sample in enumerate(samples):
        batch[index] = sample["tokens"]
    return torch.from_numpy(batch)


def linked(folder: Path, scratch: Path) -> None:
    """Links the shards into an empty folder, in which what is decompressed stays beside them."""
    for path in folder.rglob("*"):
        if path.is_file():
            target = scratch / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(path, target)


class Batches:
    def __init__(self, job: Job, state: Any) -> None:
        clean_stale_shared_memory()
        corpus = read(Path(job.flat))
        scratch = Path(job.scratch)
        linked(Path(job.folder), scratch)
        streams = [
            Stream(local=str(scratch / domain.name), proportion=weight)
            for domain, weight in zip(corpus.domains, corpus.weights())
        ]
        data = StreamingDataset(
            streams=streams,
            batch_size=job.rows,
            shuffle=True,
            shuffle_seed=job.seed,
            num_canonical_nodes=1,
        )
        self.loader = StreamingDataLoader(
            data,
            batch_size=job.rows,
            collate_fn=stack,
            num_workers=job.workers,
            drop_last=True,
            persistent_workers=job.workers > 0,
        )
        if state is not None:
            epoch, sample = divmod(state * job.rows, data.epoch_size // job.rows * job.rows)
            self.loader.load_state_dict(
                {
                    "epoch": epoch,
                    "sample_in_epoch": sample,
                    "num_canonical_nodes": 1,
                    "shuffle_seed": job.seed,
                    "initial_physical_nodes": 1,
                }
            )
        self.batches = self._epochs()

    def _epochs(self) -> Iterator[torch.Tensor]:
        while True:
            yield from self.loader

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> torch.Tensor:
        return next(self.batches)


def open(job: Job, state: Any) -> Batches:
    return Batches(job, state)


def state_at(job: Job, batches: int) -> Any:
    """The number of batches, of which `open` makes the state that the loader's own state_dict would be."""
    return batches
