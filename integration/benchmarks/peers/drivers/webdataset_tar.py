"""webdataset over tar files in zstd: shard lists for ever, a shuffle buffer, RandomMix."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch
import webdataset

from ..jobs import Cannot, Job
from ..tokens import read

SHUFFLE_BUFFER = 1000


def settings(job: Job) -> str:
    return (
        f"ResampledShards, pipe:zstd -dc, shuffle({SHUFFLE_BUFFER}), RandomMix, "
        f"{'WebLoader with %d workers' % job.workers if job.workers else 'no worker'}"
    )


class Mixed(torch.utils.data.IterableDataset):
    """Batches out of the mixed domains; made anew in every worker."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __iter__(self) -> Iterator[torch.Tensor]:
        corpus = read(Path(self.job.flat))
        domains = [self._domain(domain.name) for domain in corpus.domains]
        samples = iter(webdataset.RandomMix(domains, probs=corpus.weights()))
        while True:
            batch = np.empty((self.job.rows, self.job.sequence_length), dtype=np.int64)
            for row in range(self.job.rows):
                batch[row] = np.frombuffer(next(samples)["tokens"], dtype="<u2")
            yield torch.from_numpy(batch)

    def _domain(self, name: str) -> webdataset.DataPipeline:
        urls = [f"pipe:zstd -qdc {path}" for path in sorted(Path(self.job.folder).glob(f"{name}-*.tar.zst"))]
        return webdataset.DataPipeline(
            webdataset.ResampledShards(urls, seed=self.job.seed),
            webdataset.tarfile_to_samples(),
            webdataset.shuffle(SHUFFLE_BUFFER),
        )


def open(job: Job, state: Any) -> Iterator[torch.Tensor]:
    data = Mixed(job)
    if job.workers:
        return iter(webdataset.WebLoader(data, batch_size=None, num_workers=job.workers))
    return iter(data)


def state_at(job: Job, batches: int) -> Any:
    raise Cannot("has no state")
