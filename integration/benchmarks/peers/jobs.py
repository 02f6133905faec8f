"""What a driver is asked to do; passed to its process as one JSON argument."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Optional


class Cannot(Exception):
    """A peer cannot do what a row asks for; the text says why."""


@dataclass(frozen=True)
class Job:
    """One run of one peer."""

    folder: str  # The corpus in the peer's format.
    flat: str  # The flat corpus: names, counts, and what tokens are checked against.
    scratch: str  # An empty folder for what the peer writes beside the corpus.
    form: str = ""
    rows: int = 8
    sequence_length: int = 2048
    workers: int = 0
    seed: int = 17
    seconds: float = 2.0  # Of timed batches; 0 for the first batch alone.
    warm_up: int = 20  # Batches, the first one included.
    position: Optional[float] = None  # Go on at this part of an epoch.
    step: Optional[int] = None  # Go on after this many batches.
    state: str = ""  # A file with the peer's state; made by a run with `saves`.
    saves: bool = False
    checks: bool = False
    names: list[str] = field(default_factory=list)

    def text(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def read(text: str) -> "Job":
        return Job(**json.loads(text))

    @property
    def batch_tokens(self) -> int:
        return self.rows * self.sequence_length

    def batches_before(self, batches_in_epoch: int) -> int:
        """The batches that a run has taken before it goes on."""
        return self.step if self.step is not None else int((self.position or 0) * batches_in_epoch)
