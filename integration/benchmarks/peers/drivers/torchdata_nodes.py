"""torchdata's nodes over flat files: a weighted sampler of one node for each domain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import numpy as np
import torch
from torch.utils.data import RandomSampler
from torchdata.nodes import Batcher, Loader, MapStyleWrapper, Mapper, MultiNodeWeightedSampler, ParallelMapper

from ..jobs import Job
from ..tokens import read


def settings(job: Job) -> str:
    mapper = f"ParallelMapper(num_workers={job.workers}, method='thread')" if job.workers else "Mapper"
    return f"MapStyleWrapper + RandomSampler, MultiNodeWeightedSampler, Batcher, {mapper}, Loader"


class Windows:
    """Consecutive sequences of one flat file."""

    def __init__(self, tokens: np.ndarray, length: int) -> None:
        self.tokens = tokens[: len(tokens) // length * length].reshape(-1, length)

    def __len__(self) -> int:
        return len(self.tokens)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.tokens[index]


def stack(rows: list[np.ndarray]) -> torch.Tensor:
    batch = np.empty((len(rows), len(rows[0])), dtype=np.int64)
    for index, row in enumerate(rows):
        batch[index] = row
    return torch.from_numpy(batch)


class Stream:
    def __init__(self, job: Job, state: Any) -> None:
        corpus = read(Path(job.flat))
        nodes = {}
        for domain in corpus.domains:
            windows = Windows(domain.tokens(), job.sequence_length)
            generator = torch.Generator()
            generator.manual_seed(job.seed)
            nodes[domain.name] = MapStyleWrapper(windows, RandomSampler(windows, generator=generator))
        weights = {domain.name: weight for domain, weight in zip(corpus.domains, corpus.weights())}
        node = Batcher(
            MultiNodeWeightedSampler(nodes, weights, stop_criteria="CYCLE_FOREVER", seed=job.seed), job.rows
        )
        if job.workers:
            mapped = ParallelMapper(node, stack, num_workers=job.workers, method="thread")
        else:
            mapped = Mapper(node, stack)
        self.loader = Loader(mapped)
        if state is not None:
            self.loader.load_state_dict(state)
        self.batches: Iterator[torch.Tensor] = iter(self.loader)

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> torch.Tensor:
        return next(self.batches)


def open(job: Job, state: Any) -> Stream:
    return Stream(job, state)


def state_of(stream: Stream) -> Any:
    return stream.loader.state_dict()
