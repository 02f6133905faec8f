"""Runs one peer in a process of its own and prints what it cost, as one line of JSON.

    python -m peers.measure DRIVER JOB

A driver is a module of `drivers` with

    open(job, state)        an iterator of batches, [rows, sequence_length] int64; `state` is None or what was saved
    settings(job)           how the peer is set up, for the report

and, where the peer can go on in the middle of a run,

    state_of(iterator)      its state after the last batch
    state_at(job, batches)  (instead) the state after that many batches, made without running there

    batches_in_epoch(job)   unless they follow from the tokens of the flat corpus

and, where it gives texts instead of tokens, UNIT = "byte" and size(batch); and ENDS where it must come to its own end.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any, Iterator

from .jobs import Cannot, Job

LIMIT_OF_RUNNING_THERE = 100_000  # Batches; farther states must be made without running.


def main(arguments: list[str]) -> None:
    job = Job.read(arguments[1])
    driver = importlib.import_module(f"peers.drivers.{arguments[0]}")
    try:
        if job.saves:
            record = save(driver, job)
        elif job.checks:
            from . import checks

            record = checks.check(driver, job)
        else:
            record = measure(driver, job)
    except Cannot as error:
        record = {"cannot": str(error)}
    print(json.dumps(record), flush=True)
    # Some peers' threads and workers take seconds to end, or never do; others leave shared memory behind.
    if not getattr(driver, "ENDS", False):
        os._exit(0)


def measure(driver: ModuleType, job: Job) -> dict[str, Any]:
    state = pickle.loads(Path(job.state).read_bytes()) if job.state else None
    size = getattr(driver, "size", None) or (lambda batch: _token_count(batch, job))
    begin = time.monotonic_ns()
    batches = iter(driver.open(job, state))
    opened = time.monotonic_ns()
    size(next(batches))
    first = time.monotonic_ns()
    record: dict[str, Any] = {
        "settings": driver.settings(job),
        "open_ns": opened - begin,
        "open_to_first_batch_ns": first - begin,
        "first_batch_at_ns": first,
    }
    if job.seconds > 0:
        record.update(_throughput(batches, size, job))
    record["peak_rss_bytes"] = _kibibytes("/proc/self/status", "VmHWM") << 10
    record["tree_pss_bytes"] = sum(_pss(process) for process in _tree())
    return record


def save(driver: ModuleType, job: Job) -> dict[str, Any]:
    """Writes the peer's state at the job's place to the job's state file."""
    count = job.batches_before(_batches_in_epoch(driver, job))
    if hasattr(driver, "state_at"):
        state = driver.state_at(job, count)
    elif not hasattr(driver, "state_of"):
        raise Cannot("has no state to save")
    elif count > LIMIT_OF_RUNNING_THERE:
        raise Cannot("its state is only had by running there")
    else:
        batches = iter(driver.open(job, None))
        for _ in range(max(1, count)):
            next(batches)
        state = driver.state_of(batches)
    Path(job.state).write_bytes(pickle.dumps(state))
    return {"batches_before": count}


def _batches_in_epoch(driver: ModuleType, job: Job) -> int:
    if hasattr(driver, "batches_in_epoch"):
        return driver.batches_in_epoch(job)
    record = json.loads((Path(job.flat) / "corpus.json").read_text())
    return sum(domain["tokens"] for domain in record["domains"]) // job.batch_tokens


def _throughput(batches: Iterator[Any], size: Any, job: Job) -> dict[str, Any]:
    for _ in range(job.warm_up - 1):
        next(batches)
    units = count = 0
    cpu = _cpu_seconds()
    begin = now = time.monotonic()
    end = begin + job.seconds
    while now < end:
        units += size(next(batches))
        count += 1
        now = time.monotonic()
    return {
        "batches": count,
        "wall_ns_per_token": (now - begin) * 1e9 / units,
        "cpu_ns_per_token": (_cpu_seconds() - cpu) * 1e9 / units,
    }


def _token_count(batch: Any, job: Job) -> int:
    """The tokens of a batch; refuses one of another shape or type, which would cost less or more."""
    if tuple(batch.shape) != (job.rows, job.sequence_length) or "int64" not in str(batch.dtype):
        raise RuntimeError(f"a batch of {tuple(batch.shape)} {batch.dtype} came")
    return job.batch_tokens


def _tree() -> list[int]:
    """This process and all below it."""
    found = [os.getpid()]
    for process in found:
        for path in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                found += [int(child) for child in path.read_text().split()]
            except OSError:
                continue
    return found


def _cpu_seconds() -> float:
    """The CPU time of this process and of the workers that run now."""
    ticks = 0
    for process in _tree()[1:]:
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def _pss(process: int) -> int:
    try:
        return _kibibytes(f"/proc/{process}/smaps_rollup", "Pss") << 10
    except OSError:
        return 0


def _kibibytes(path: str, name: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"{path} does not say {name}")


if __name__ == "__main__":
    main(sys.argv[1:])
