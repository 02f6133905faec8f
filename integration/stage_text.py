#!/usr/bin/env python3
"""Collects real text that is found on this machine, as one JSONL file for each of several domains.

    python3 stage_text.py FOLDER [--megabytes N]

Takes UTF-8 files (and what is in .gz files) in an order that depends on their paths alone, until a domain has
enough, and cuts long ones into documents, so that every domain has some to hold out. Domains with less than a
fifth of what is asked for are left out. Prints the domains, one a line.
"""

from __future__ import annotations

import argparse
import fnmatch
import gzip
import hashlib
import json
import os
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import Iterator, NamedTuple, Optional

FILE_BYTES = 1_000_000  # A larger file would be a domain of its own.
DOCUMENT_LETTERS = 24_000


class Source(NamedTuple):
    """Where a domain's text may be found, and how much of all text it shall be."""

    share: float
    roots: list[Path]
    patterns: list[str]  # Of file names; .gz is taken off first.


def toolchain() -> Path:
    swift = shutil.which("swift")
    return Path(swift).resolve().parent.parent if swift else Path("/usr/lib/swift")


def sources() -> dict[str, Source]:
    usr = [Path("/usr"), Path("/opt/homebrew"), Path("/usr/local")]

    def below(name: str) -> list[Path]:
        return [root / name for root in usr]

    swift = toolchain()
    return {
        "headers": Source(0.26, below("include") + [swift / "include", swift / "lib/clang"], ["*.h", "*.hpp"]),
        "python": Source(0.22, [Path(sysconfig.get_path("stdlib"))], ["*.py"]),
        "swift": Source(0.1, [swift / "lib/swift", swift / "share"], ["*.swiftinterface", "*.swift"]),
        "manuals": Source(0.16, below("share/man"), ["*.[1-9]", "*.[1-9][a-z]*"]),
        "docs": Source(
            0.18,
            below("share/doc") + below("share/common-licenses") + below("share/info"),
            ["*.txt", "*.md", "*.rst", "README*", "NEWS*", "copyright", "changelog*", "*.info*", "GPL*"],
        ),
        "data": Source(
            0.08,
            below("share/i18n") + below("share/iso-codes") + below("share/zoneinfo") + [swift / "lib/swift"],
            ["*.json", "*.csv", "*.tab", "*.tsv", "[a-z][a-z]_[A-Z][A-Z]*", "UTF-8", "ISO-*", "CP*", "IBM*"],
        ),
    }


def candidates(source: Source) -> list[Path]:
    found = set()
    for root in source.roots:
        for folder, _, names in os.walk(root):
            for name in names:
                plain = name[:-3] if name.endswith(".gz") else name
                if any(fnmatch.fnmatchcase(plain, pattern) for pattern in source.patterns):
                    found.add(Path(folder) / name)
    return sorted(found, key=lambda path: hashlib.sha256(str(path).encode()).digest())


def text_of(path: Path) -> Optional[str]:
    try:
        if path.is_symlink() or not path.is_file() or path.stat().st_size > FILE_BYTES:
            return None
        content = path.read_bytes()
        if path.name.endswith(".gz"):
            with gzip.open(path) as file:
                content = file.read(FILE_BYTES + 1)
        text = content.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError):
        return None
    return text if text.strip() and len(content) <= FILE_BYTES and "\0" not in text else None


def documents(source: Source, limit: int) -> Iterator[str]:
    seen, total = set(), 0
    for path in candidates(source):
        text = text_of(path)
        if text is None or text in seen:
            continue
        seen.add(text)
        for part in parts(text):
            yield json.dumps({"text": part}, ensure_ascii=False)
        total += len(text.encode())
        if total >= limit:
            return


def parts(text: str) -> Iterator[str]:
    """The text in documents of a bounded length, cut behind line ends."""
    part: list[str] = []
    length = 0
    for line in text.splitlines(keepends=True):
        if part and length + len(line) > DOCUMENT_LETTERS:
            yield "".join(part)
            part, length = [], 0
        part.append(line)
        length += len(line)
    yield "".join(part)


def stage(folder: Path, byte_count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in sources().items():
        limit = int(source.share * byte_count)
        path = folder / f"{name}.jsonl"
        if not path.exists():
            partial = path.with_suffix(".tmp")
            with partial.open("w", encoding="utf-8") as file:
                for line in documents(source, limit):
                    file.write(line + "\n")
            partial.replace(path)
        size = path.stat().st_size
        if size >= limit / 5:
            print(name)
        else:
            print(f"{name}: only {size} bytes found; left out", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=34, help="of all text (default: %(default)s)")
    options = parser.parse_args()
    stage(options.folder, int(options.megabytes * 1e6))
