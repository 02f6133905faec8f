#!/usr/bin/env python3
"""Compares the records of two run folders, but for times, and checks that the first has its report.

    python3 same_run.py RUN REFERENCE

Exit code: 0 if they are the same, 1 with the first difference if not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key != "time_in_seconds"}
    if isinstance(value, list):
        return [without_times(inner) for inner in value]
    return value


def main(run: Path, reference: Path) -> int:
    ours, theirs = (
        without_times(json.loads((folder / "record.json").read_text(encoding="utf-8")))
        for folder in (run, reference)
    )
    for key in sorted(set(ours) | set(theirs)):
        if ours.get(key) != theirs.get(key):
            print(f"record.json differs in {key}: {ours.get(key)} instead of {theirs.get(key)}")
            return 1
    for name in ("report.html", "report.svg"):
        if not (run / name).stat().st_size:
            print(f"{name} is empty")
            return 1
    left = [path.name for path in run.rglob("*.tmp")]
    if left:
        print(f"left behind: {', '.join(left)}")
        return 1
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
