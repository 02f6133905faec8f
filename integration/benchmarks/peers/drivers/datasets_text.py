"""Hugging Face datasets, streaming .jsonl.zst and interleaving the domains; texts, no tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterator

import datasets

from ..jobs import Job

UNIT = "byte"

datasets.disable_progress_bars()


def settings(job: Job) -> str:
    return "load_dataset('json', streaming=True), interleave_datasets(all_exhausted), no tokenizer"


def size(texts: list[str]) -> int:
    """The bytes of the texts, as UTF-8."""
    return sum(len(text.encode()) for text in texts)


class Batches:
    def __init__(self, job: Job, state: Any) -> None:
        folder = Path(job.folder)
        domains = json.loads((folder / "files.json").read_text())
        total = sum(domain["text_bytes"] for domain in domains)
        parts = [
            datasets.load_dataset(
                "json",
                data_files=[str(folder / name) for name in domain["files"]],
                split="train",
                streaming=True,
                cache_dir=job.scratch,
            )
            for domain in domains
        ]
        self.mixed = datasets.interleave_datasets(
            parts,
            probabilities=[domain["text_bytes"] / total for domain in domains],
            seed=job.seed,
            stopping_strategy="all_exhausted",
        )
        if state is not None:
            self.mixed.load_state_dict(state)
        self.rows = job.rows
        self.texts = self._epochs()

    def _epochs(self) -> Iterator[str]:
        while True:
            for example in self.mixed:
                yield example["text"]

    def __iter__(self) -> "Batches":
        return self

    def __next__(self) -> list[str]:
        return [next(self.texts) for _ in range(self.rows)]


def open(job: Job, state: Any) -> Batches:
    return Batches(job, state)


def state_of(batches: Batches) -> Any:
    return batches.mixed.state_dict()


def batches_in_epoch(job: Job) -> int:
    domains = json.loads((Path(job.folder) / "files.json").read_text())
    return sum(domain["documents"] for domain in domains) // job.rows
