"""Medians, ratios and the table that shows them."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from . import rows as r

HEADINGS = ("row", "what", "Headrace", "peer", "", "ratio", "range", "target", "reached")


@dataclass(frozen=True)
class Outcome:
    """A row with what was read in each round, or why there is nothing."""

    row: r.Row
    ours: Sequence[float]
    theirs: Sequence[float]
    not_run: Optional[str] = None

    @property
    def ratios(self) -> list[float]:
        """Theirs to ours of each round: how many times less Headrace takes."""
        return [theirs / ours for ours, theirs in zip(self.ours, self.theirs)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def reached(self) -> Optional[bool]:
        target = self.row.target
        if target is None or not self.ours:
            return None
        if target.most_value is not None:
            return statistics.median(self.ours) <= target.most_value
        if not self.ratios:
            return None
        if target.most_own_ratio is not None:
            return statistics.median(1 / ratio for ratio in self.ratios) <= target.most_own_ratio
        return target.least_ratio is not None and self.ratio >= target.least_ratio

    def record(self) -> dict[str, Any]:
        target = self.row.target
        return {
            "row": self.row.key,
            "what": self.row.what,
            "reading": self.row.reading,
            "peer": self.row.theirs.label,
            "headrace": list(self.ours),
            "theirs": list(self.theirs),
            "ratios": self.ratios,
            "ratio": self.ratio if self.ratios else None,
            "target": target.text if target else None,
            "reached": self.reached,
            "not_run": self.not_run,
        }


def shown(value: float, reading: str, is_text: bool) -> str:
    """A reading as it is read by people; rates where it is a time for each token or byte."""
    if reading in (r.WALL, r.CPU):
        return f"{1000 / value:.1f} {'MB/s' if is_text else 'Mtok/s'}"
    if reading == r.MEMORY:
        return f"{value / 2**20:.1f} MiB"
    return f"{value / 1e6:.2f} ms"


def line(outcome: Outcome) -> list[str]:
    row = outcome.row
    is_text = row.ours.domains == r.TEXT
    values = [
        shown(statistics.median(side), row.reading, is_text) if side else "-"
        for side in (outcome.ours, outcome.theirs)
    ]
    ratio, spread = "-", "-"
    if outcome.ratios:
        own = row.target is not None and row.target.most_own_ratio is not None
        ratios = [1 / ratio for ratio in outcome.ratios] if own else outcome.ratios
        ratio = f"{statistics.median(ratios):.3g}"
        spread = f"{min(ratios):.3g} to {max(ratios):.3g}"
    reached = {True: "yes", False: "NO", None: ""}[outcome.reached]
    target = row.target.text if row.target else ""
    fields = [row.key, row.what, values[0], row.theirs.label, values[1], ratio, spread, target, reached]
    if outcome.not_run:
        fields[-1] = f"{reached} not run: {outcome.not_run}".strip()
    return fields


def text(outcomes: Sequence[Outcome]) -> str:
    """The table; a ratio is theirs to ours, but of targets `of it`, where it is ours to theirs."""
    lines = [list(HEADINGS), *(line(outcome) for outcome in outcomes)]
    # The last column holds sentences; it widens nothing.
    widths = [max(len(fields[column]) for fields in lines) for column in range(len(HEADINGS) - 1)]
    left = {0, 1, 3}
    return "\n".join(
        "  ".join(
            [
                *(
                    field.ljust(width) if column in left else field.rjust(width)
                    for column, (field, width) in enumerate(zip(fields, widths))
                ),
                fields[-1],
            ]
        ).rstrip()
        for fields in lines
    )
