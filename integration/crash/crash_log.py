"""The log that the shim writes, and what it says about the order in which files became durable."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Sequence

WRITES = {"write", "pwrite", "writev"}
SYNCS = {"fsync", "fdatasync"}


@dataclass
class Call:
    """One line pair of the shim's log. `number` is 0 for calls that cannot be chosen for a kill."""

    number: int
    process: int
    name: str
    path: str
    other: str = ""
    size: int = 0
    result: Optional[int] = None  # None: the process ended inside the call.

    @property
    def succeeded(self) -> bool:
        return self.result is not None and self.result >= 0


def read_log(path: Path) -> list[Call]:
    """The calls of a log in the order in which they began."""
    calls: list[Call] = []
    running: dict[tuple[int, int, str], Call] = {}
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    for line in text.split("\n"):
        fields = line.split("\t")
        if fields[0] == "B":
            call = Call(int(fields[1]), int(fields[2]), fields[3], fields[4], fields[5], int(fields[6]))
            calls.append(call)
            running[call.number, call.process, call.name] = call
        elif fields[0] == "E":
            finished = running.pop((int(fields[1]), int(fields[2]), fields[3]), None)
            if finished:
                finished.result = int(fields[4])
    return calls


def order_violations(calls: Sequence[Call], in_place: Sequence[str] = ()) -> list[str]:
    """What the log of a whole run shows against "write, fsync, rename, fsync of the folder"; empty if nothing does.

    1. Every write to a file that comes to its name by a rename, alone or in a folder, is followed by an fsync
       of that file before the rename.
    2. Every entry that comes into a folder which is renamed later is followed by an fsync of that folder.
    3. Every rename is followed by an fsync of the folder that it landed in.
    4. A file that is written is renamed or deleted afterwards, unless its name matches a glob in `in_place`.
    """
    done = [call for call in calls if call.succeeded]
    found = []
    for at, call in enumerate(done):
        if call.name != "rename":
            continue
        for path in _unsynced(done[:at], call.path):
            found.append(f"{path} is not synced before {call.path} is renamed to {call.other}")
        folder = os.path.dirname(call.other)
        if not any(later.name in SYNCS and later.path == folder for later in done[at + 1 :]):
            found.append(f"{folder} is not synced after {os.path.basename(call.other)} came into it")
    for path in _written_in_place(done):
        if not any(fnmatch.fnmatchcase(os.path.basename(path), glob) for glob in in_place):
            found.append(f"{path} is written at its final name")
    return found


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _unsynced(calls: Sequence[Call], target: str) -> list[str]:
    """The files and folders at or under `target` that have bytes or entries which no fsync followed."""
    dirty: dict[str, bool] = {}
    for call in calls:
        if call.name == "rename":
            dirty = {
                _renamed(path, call): state
                for path, state in dirty.items()
                if not _is_within(path, call.other)
            }
            dirty[os.path.dirname(call.other)] = True
        elif call.name in WRITES or call.name == "ftruncate":
            dirty[call.path] = True
        elif call.name == "mkdir" or (call.name == "open" and call.size):
            dirty[os.path.dirname(call.path)] = True
        elif call.name in SYNCS:
            dirty[call.path] = False
        elif call.name == "unlink":
            dirty.pop(call.path, None)
    return sorted(path for path, state in dirty.items() if state and _is_within(path, target))


def _renamed(path: str, rename: Call) -> str:
    return rename.other + path[len(rename.path) :] if _is_within(path, rename.path) else path


def _written_in_place(calls: Sequence[Call]) -> list[str]:
    open_for_writing: set[str] = set()
    for call in calls:
        if call.name in WRITES:
            open_for_writing.add(call.path)
        elif call.name == "rename":
            open_for_writing = {path for path in open_for_writing if not _is_within(path, call.path)}
        elif call.name == "unlink":
            open_for_writing.discard(call.path)
    return sorted(open_for_writing)
