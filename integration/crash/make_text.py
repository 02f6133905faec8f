#!/usr/bin/env python3
"""Writes text for the crash checks: three kinds of files, a megabyte in all, the same every time.

    python3 make_text.py FOLDER

Leaves FOLDER/words/*.txt, FOLDER/lines.jsonl and FOLDER/numbers/*.csv.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

WORDS = "water runs down the head race to the mill wheel and turns stone over grain until noon".split()


def sentence(generator: random.Random, count: int) -> str:
    return " ".join(generator.choice(WORDS) for _ in range(count)) + ".\n"


def main(folder: Path) -> None:
    generator = random.Random(17)
    words, numbers = folder / "words", folder / "numbers"
    words.mkdir(parents=True, exist_ok=True)
    numbers.mkdir(exist_ok=True)
    for index in range(60):
        text = "".join(sentence(generator, generator.randrange(5, 30)) for _ in range(80))
        (words / f"{index:03}.txt").write_text(text, encoding="utf-8")
    with (folder / "lines.jsonl").open("w", encoding="utf-8") as lines:
        for index in range(800):
            lines.write(json.dumps({"id": index, "text": sentence(generator, generator.randrange(5, 120))}))
            lines.write("\n")
    for index in range(20):
        rows = (f"{row},{generator.random():.6f},{generator.randrange(10**9)}\n" for row in range(500))
        (numbers / f"{index:03}.csv").write_text("".join(rows), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
