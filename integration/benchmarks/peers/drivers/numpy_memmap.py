"""Flat files through numpy's memmap, as nanoGPT does it: random places, no epoch, nothing to resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import numpy as np

from ..jobs import Cannot, Job
from ..tokens import read


def settings(job: Job) -> str:
    return "np.memmap, random places, one np.empty a batch, rows widened into it"


def open(job: Job, state: Any) -> Iterator[np.ndarray]:
    corpus = read(Path(job.flat))
    maps = [domain.tokens() for domain in corpus.domains]
    bounds = np.array([len(tokens) - job.sequence_length for tokens in maps])
    cumulative = np.cumsum(corpus.weights())
    generator = np.random.default_rng(job.seed)
    while True:
        domains = np.minimum(np.searchsorted(cumulative, generator.random(job.rows)), len(maps) - 1)
        places = (generator.random(job.rows) * bounds[domains]).astype(np.int64)
        batch = np.empty((job.rows, job.sequence_length), dtype=np.int64)
        for row, (domain, place) in enumerate(zip(domains.tolist(), places.tolist())):
            batch[row] = maps[domain][place : place + job.sequence_length]
        yield batch


def state_at(job: Job, batches: int) -> Any:
    raise Cannot("draws with replacement: there is no place in an epoch")
