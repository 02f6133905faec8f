"""megatron-core's GPTDataset over .bin and .idx, blended; its index files are cached from one run to the next."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import Any, Iterator

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import torch  # noqa: E402
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder  # noqa: E402
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig  # noqa: E402

from ..jobs import Job  # noqa: E402
from ..tokens import FlatCorpus, read  # noqa: E402


def settings(job: Job) -> str:
    return (
        "GPTDataset without masks, BlendedDataset, indices cached on disk, "
        f"torch DataLoader(num_workers={job.workers})"
    )


class Tokenizer:
    """What GPTDataset asks of a tokenizer."""

    unique_identifiers = {"class": "bench"}

    def __init__(self, corpus: FlatCorpus) -> None:
        self.vocab_size = corpus.vocabulary_size
        self.eod = self.pad = corpus.end_of_text


class Samples(torch.utils.data.Sampler):
    """Consecutive batches of the blend from one sample on, as Megatron's own sampler gives them."""

    def __init__(self, first: int, total: int, rows: int) -> None:
        self.first, self.total, self.rows = first, total, rows

    def __iter__(self) -> Iterator[list[int]]:
        for begin in range(self.first, self.total - self.rows + 1, self.rows):
            yield list(range(begin, begin + self.rows))


def stack(samples: list[dict[str, torch.Tensor]]) -> torch.Tensor:
    return torch.stack([sample["tokens"] for sample in samples])


def batches_of(job: Job, first_batch: int) -> Iterator[torch.Tensor]:
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    corpus = read(Path(job.flat))
    epoch = corpus.token_count // job.sequence_length
    # The run's length is fixed beforehand: eight epochs, or as far as the run has come and one more.
    total = max(8 * epoch, first_batch * job.rows + epoch)
    cache = Path(job.folder) / "index-cache"
    config = GPTDatasetConfig(
        random_seed=job.seed,
        sequence_length=job.sequence_length,
        blend=([str(Path(job.folder) / domain.name) for domain in corpus.domains], corpus.weights()),
        split="1,0,0",
        path_to_cache=str(cache),
        tokenizer=Tokenizer(corpus),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
        mid_level_dataset_surplus=0.005,
    )
    data, _, _ = BlendedMegatronDatasetBuilder(GPTDataset, [total, 0, 0], lambda: True, config).build()
    loader = torch.utils.data.DataLoader(
        data,
        batch_sampler=Samples(first_batch * job.rows, total, job.rows),
        collate_fn=stack,
        num_workers=job.workers,
    )
    while True:
        yield from loader


def open(job: Job, state: Any) -> Iterator[torch.Tensor]:
    os.environ.setdefault("MASTER_ADDR", "localhost")
    return batches_of(job, state or 0)


def state_at(job: Job, batches: int) -> Any:
    """The samples consumed are all of Megatron's state; its indices are built when they are first needed."""
    next(batches_of(job, batches))
    return batches
