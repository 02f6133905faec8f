"""Real text in six domains, from Debian packages that are downloaded and unpacked, not installed.

Where there is no apt, from the machine itself, as integration/stage_text.py collects it.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import stage_text  # noqa: E402

LANGUAGES = "cs|da|de|el|es|fi|fr|hu|it|ja|nl|pl|pt-br|ro|ru|tr|zh"


class Source(NamedTuple):
    """A domain: its share of all tokens, the packages (patterns of whole names), and the names of its files."""

    share: float
    packages: list[str]
    patterns: list[str]


DOMAINS = {
    "manuals": Source(0.25, [rf"manpages-({LANGUAGES})(-dev)?", "manpages-dev", "perl-doc"], ["*.[1-9]*"]),
    "handbook": Source(0.22, ["debian-handbook"], ["*.html"]),
    "kernel": Source(0.12, [r"linux-doc-\d[\d.]*"], ["*.rst"]),
    "headers": Source(0.15, [r"libboost1\.\d+-dev"], ["*.hpp", "*.h", "*.ipp"]),
    "go": Source(0.14, [r"golang-1\.\d+-src"], ["*.go"]),
    "python": Source(0.12, ["python3-sympy", "python3-django", r"libpython3\.\d+-testsuite"], ["*.py"]),
}
# Bytes of text that are kept for each token that is wanted; what is too much is not read.
BYTES_PER_TOKEN = 6


def collect(folder: Path, packages: Path, token_count: int) -> list[str]:
    """Makes `folder`/NAME.jsonl of every domain, where it is missing, and returns the names.

    The packages are unpacked below `packages`, which corpora of all sizes share.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not shutil.which("apt-get"):
        _say("there is no apt-get; taking text of this machine")
        stage_text.stage(folder, token_count * 5)
        return sorted(path.stem for path in folder.glob("*.jsonl"))
    missing = [name for name in DOMAINS if not (folder / f"{name}.jsonl").is_file()]
    if missing:
        _update_lists()
        available = _output("apt-cache", "pkgnames").split()
    for name in missing:
        source = DOMAINS[name]
        roots = [_unpacked(packages, package) for package in _matching(source.packages, available)]
        byte_count = _write(folder / f"{name}.jsonl", source, roots, token_count)
        _say(f"domain {name}: {byte_count / 1e6:.1f} MB of text from {len(roots)} packages")
    return list(DOMAINS)


def documents(path: Path) -> Iterator[str]:
    """The documents of a domain's file."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["text"]


def _matching(patterns: Iterable[str], available: list[str]) -> list[str]:
    """The packages whose names match, of versioned ones (linux-doc-6.1, linux-doc-6.12) the first alone."""
    found: list[str] = []
    for pattern in patterns:
        names = sorted(name for name in available if re.fullmatch(pattern, name))
        if not names:
            _say(f"no package is named {pattern}")
        found += names[:1] if r"\d" in pattern else names
    return found


def _unpacked(folder: Path, package: str) -> Path:
    """Downloads a package and unpacks it; returns where."""
    target = folder / package
    if target.is_dir():
        return target
    partial = folder / f"{package}.tmp"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _say(f"apt-get download {package}; dpkg-deb -x")
    _output("apt-get", "download", "-q", package, folder=partial)
    (archive,) = partial.glob("*.deb")
    _output("dpkg-deb", "-x", str(archive), str(partial))
    archive.unlink()
    partial.rename(target)
    return target


def _write(path: Path, source: Source, roots: list[Path], token_count: int) -> int:
    limit = int(source.share * token_count * BYTES_PER_TOKEN)
    seen: set[bytes] = set()
    written = 0
    partial = path.with_suffix(".tmp")
    with partial.open("w", encoding="utf-8") as file:
        for candidate in _files(source, roots):
            text = stage_text.text_of(candidate)
            key = hashlib.sha256((text or "").encode()).digest()
            if text is None or key in seen:
                continue
            seen.add(key)
            for part in stage_text.parts(text):
                file.write(json.dumps({"text": part}, ensure_ascii=False) + "\n")
            written += len(text.encode())
            if written >= limit:
                break
    partial.rename(path)
    return written


def _files(source: Source, roots: list[Path]) -> list[Path]:
    """The domain's files in an order that depends on their names alone."""
    found: list[tuple[bytes, Path]] = []
    for root in roots:
        for folder, _, names in os.walk(root):
            for name in names:
                plain = name[:-3] if name.endswith(".gz") else name
                if any(fnmatch.fnmatchcase(plain, pattern) for pattern in source.patterns):
                    path = Path(folder) / name
                    key = f"{root.name}/{path.relative_to(root)}".encode()
                    found.append((hashlib.sha256(key).digest(), path))
    return [path for _, path in sorted(found)]


def _update_lists() -> None:
    command = ["apt-get", "update", "-qq"]
    if os.geteuid() != 0:
        command = ["sudo", "-n", *command]
    done = subprocess.run(command, capture_output=True, text=True) if shutil.which(command[0]) else None
    if done is None or done.returncode != 0:
        _say("apt-get update failed; going on with the package lists that are there")


def _output(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()[-300:]}")
    return done.stdout


def _say(text: str) -> None:
    print(f"peers: {text}", file=sys.stderr, flush=True)
