"""Runs both sides of every row, in turn, round after round."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Sequence

from . import rows as r
from . import specs
from .cache import PACKAGE_ROOT, Cache, NotMade
from .jobs import Job
from .table import Outcome

DEADLINE_IN_SECONDS = 240
# Headrace is given batches, not seconds; so many take about a second.
BATCHES_PER_SECOND = 20_000


# What was read of either side, round after round.
Records = tuple[list[dict[str, Any]], list[dict[str, Any]]]


class NotRun(Exception):
    """A side could not be measured; the text says why."""


@dataclass
class Comparison:
    """What is measured, and what was measured so far."""

    cache: Cache
    headrace: Path
    seconds: float
    rounds: int
    settings: dict[str, str] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)

    def measure(self, rows: Sequence[r.Row]) -> list[Outcome]:
        """The rows' outcomes; a pair of sides that several rows share is measured once a round."""
        pairs = list(dict.fromkeys((row.ours, row.theirs) for row in rows))
        records: dict[tuple[r.Run, r.Run], Records] = {pair: ([], []) for pair in pairs}
        refused: dict[r.Run, str] = {}
        with tempfile.TemporaryDirectory(prefix="headrace-peers.", dir=self.cache.folder) as scratch:
            self.scratch = Path(scratch)
            for side in dict.fromkeys(side for pair in pairs for side in pair):
                try:
                    self._prepare(side)
                except (NotRun, NotMade) as error:
                    refused[side] = str(error)
                    _say(f"{side.label}: {error}")
            for number in range(self.rounds):
                _say(f"round {number + 1} of {self.rounds}, {len(pairs)} pairs")
                for pair in pairs:
                    self._round(pair, number, records[pair], refused)
        return [self._outcome(row, records[row.ours, row.theirs], refused) for row in rows]

    def _round(self, pair: tuple[r.Run, r.Run], number: int, records: Records, refused: dict[r.Run, str]) -> None:
        """Measures both sides, in another order in every other round; a side that cannot run leaves the other."""
        for side in (0, 1) if number % 2 == 0 else (1, 0):
            if pair[side] in refused:
                continue
            try:
                records[side].append(self._run(pair[side]))
            except NotRun as error:
                refused[pair[side]] = str(error)
                _say(f"{pair[side].label}: {error}")

    def _outcome(self, row: r.Row, records: Records, refused: dict[r.Run, str]) -> Outcome:
        reasons: list[str] = []
        values: list[list[float]] = []
        for side, read in zip((row.ours, row.theirs), records):
            if side in refused:
                reasons.append(f"{side.label}: {refused[side]}")
            values.append([] if side in refused else [record[row.reading] for record in read])
        return Outcome(row, values[0], values[1], "; ".join(reasons) or None)

    # Before the rounds.

    def _prepare(self, side: r.Run) -> None:
        """Makes the side's corpus and state, and sees once that what it yields is the corpus."""
        if side.peer is None:
            self._check(side)
            if side.position is not None or side.step is not None:
                self._save_headrace(side)
            return
        peer = r.PEERS[side.peer]
        failures = self.cache.environments[peer.environment].failures
        if peer.part in failures:
            raise NotRun(f"{peer.part} could not be set up: {failures[peer.part]}")
        self._check(side)
        if side.position is not None or side.step is not None:
            state = self._state(side)
            if not state.is_file():
                self._peer(side, saves=True, state=str(state))

    def _check(self, side: r.Run) -> None:
        name = f"{side.label}, {side.domains} domains"
        if name in self.checks:
            if "unknown_pieces" not in self.checks[name]:
                raise NotRun(self.checks[name]["failed"])
            return
        try:
            record = self._checked_headrace(side) if side.peer is None else self._peer(side, checks=True)
        except (NotRun, NotMade) as error:
            self.checks[name] = {"failed": str(error)}
            raise
        self.checks[name] = record
        if record["unknown_pieces"]:
            self.checks[name] = {"failed": f"yields tokens that are not the corpus's: {record}"}
            raise NotRun(self.checks[name]["failed"])

    def _checked_headrace(self, side: r.Run) -> dict[str, Any]:
        corpus = self.cache.corpus(side)
        if side.form in specs.NATIVE_FORMS:
            done = subprocess.run([str(self.headrace), "verify", str(corpus)], capture_output=True, text=True)
            if done.returncode != 0:
                raise NotRun(f"headrace verify found damage: {done.stdout[-300:]}")
        file = self.scratch / "tokens"
        self._headrace(side, "--batches", "64", "--warm-up", "1", "--tokens-to", str(file))
        names = self.cache.names if side.domains == r.TEXT else []
        command = [str(self.cache.python("main")), "-m", "peers.checks", str(file), "2049"]
        record = _json_of([*command, str(self.cache.flat(side.domains)), *names])
        file.unlink()
        return record

    # One run.

    def _run(self, side: r.Run) -> dict[str, Any]:
        if side.peer is not None:
            return self._peer(side)
        place: list[str] = []
        if side.position is not None or side.step is not None:
            place = ["--resume-from", str(self._state(side))]
        count = int(self.seconds * BATCHES_PER_SECOND) if side.throughput else 0
        return self._headrace(side, "--batches", str(count), *place)

    def _save_headrace(self, side: r.Run) -> None:
        """Writes the checkpoint of a run that has come so far; the process that goes on from it is another one."""
        place = ["--resume-step", str(side.step)]
        if side.position is not None:
            place = ["--resume-at-position", str(side.position)]
        state = str(self._state(side))
        self._headrace(side, "--batches", "0", "--warm-up", "1", "--save", state, *place)

    def _headrace(self, side: r.Run, *arguments: str) -> dict[str, Any]:
        corpus = self.cache.corpus(side)
        if side.form == "json-lines":
            arguments += ("--mixture", specs.text_mixture(corpus))
        if side.form not in specs.NATIVE_FORMS:
            corpus = specs.write(corpus, side.form, self.cache.flat(side.domains))
        command = [str(self.headrace), "bench", "stream", str(corpus), "--rows", "8", "--sequence-length", "2048"]
        return _json_of([*command, "--threads", str(side.workers), "--token-type", "int64", "--json", *arguments])

    def _peer(self, side: r.Run, saves: bool = False, checks: bool = False, state: str = "") -> dict[str, Any]:
        assert side.peer is not None
        peer = r.PEERS[side.peer]
        if not state and (side.position is not None or side.step is not None) and not checks:
            state = str(self._state(side))
        scratch = Path(tempfile.mkdtemp(dir=self.scratch))
        job = Job(
            folder=str(self.cache.corpus(side)),
            flat=str(self.cache.flat(side.domains)),
            scratch=str(scratch),
            form=side.form,
            workers=side.workers,
            seconds=self.seconds if side.throughput else 0,
            position=side.position,
            step=side.step,
            state=state,
            saves=saves,
            checks=checks,
            names=self.cache.names,
        )
        command = [str(self.cache.python(peer.environment)), "-m", "peers.measure", peer.driver, job.text()]
        record = _json_of(command)
        shutil.rmtree(scratch, ignore_errors=True)
        if "settings" in record:
            self.settings[f"{peer.label}, {side.workers} workers"] = record["settings"]
        return record

    def _state(self, side: r.Run) -> Path:
        return self.scratch / f"{side.peer}-{side.form}-{side.domains}-{side.position}-{side.step}.state"


def _json_of(command: list[str]) -> dict[str, Any]:
    """Runs a process that prints one line of JSON; adds the time from its start to its first batch."""
    begin = time.monotonic_ns()
    try:
        done = subprocess.run(
            command, cwd=PACKAGE_ROOT, capture_output=True, text=True, timeout=DEADLINE_IN_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotRun(f"did not come to its end in {DEADLINE_IN_SECONDS} s") from None
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NotRun((lines or [f"exit code {done.returncode}"])[-1][:300])
    record = json.loads(done.stdout.splitlines()[-1])
    if "cannot" in record:
        raise NotRun(f"cannot: {record['cannot']}")
    if "first_batch_at_ns" in record:
        record[r.START] = record["first_batch_at_ns"] - begin
    return record


def _say(text: str) -> None:
    print(f"peers: {text}", file=sys.stderr, flush=True)
