"""The folder in which environments, packages, corpora and formats are kept from one run to the next."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import environment, text
from .rows import REAL, TEXT, Run
from .specs import INDEX_VERSION, NATIVE_FORMS

PACKAGE_ROOT = Path(__file__).resolve().parents[1]  # The folder that holds this package.
MOSAICML_FORMS = ("mds", "mds-zstd")


class NotMade(Exception):
    """Something that a row needs could not be made; the text says why."""


def root() -> Path:
    chosen = os.environ.get("HEADRACE_BENCH_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace-bench"


@dataclass
class Cache:
    """What one size of corpus needs."""

    megatokens: int
    environments: dict[str, environment.Environment]
    names: list[str]

    @staticmethod
    def open(megatokens: int) -> "Cache":
        environments = environment.prepare(root() / "environments")
        cache = Cache(megatokens, environments, [])
        cache.names = text.collect(cache.text, root() / "packages", megatokens * 1_000_000)
        cache.make("main", "tokens", cache.text, cache.folder / "tokens", str(megatokens * 1_000_000), *cache.names)
        return cache

    @property
    def folder(self) -> Path:
        return root() / f"{self.megatokens}M"

    @property
    def text(self) -> Path:
        return self.folder / "text"

    def flat(self, domains: int) -> Path:
        """The flat corpus of so many domains."""
        if domains == TEXT:
            return self.text
        if domains == REAL:
            return self.folder / "tokens"
        return self.make("main", "cut", self.folder / "tokens", self.folder / str(domains) / "flat", str(domains))

    def corpus(self, run: Run) -> Path:
        """The corpus that a run reads, in its format."""
        if run.domains == TEXT:
            return self.make("main", "json-lines", self.text, self.folder / "json-lines", *self.names)
        flat = self.flat(run.domains)
        if run.form == "flat":
            return flat
        name = "mosaicml" if run.form in MOSAICML_FORMS else "main"
        folder = f"{run.form}-{INDEX_VERSION}" if run.form in NATIVE_FORMS else run.form
        return self.make(name, "format", flat, self.folder / str(run.domains) / folder, run.form)

    def make(self, name: str, what: str, source: Path, folder: Path, *arguments: str) -> Path:
        """Runs `make` in the environment `name`, where `folder` does not stand whole."""
        if (folder / "made.json").is_file():
            return folder
        command = [str(self.python(name)), "-m", "peers.make", what, str(source), str(folder), *arguments]
        done = subprocess.run(command, cwd=PACKAGE_ROOT, stderr=subprocess.PIPE, text=True)
        lines = done.stderr.splitlines()
        for line in lines:
            if line.startswith("peers: "):
                print(line, flush=True)
        if done.returncode != 0:
            raise NotMade(f"make {what} {folder.name} failed: {lines[-1] if lines else done.returncode}")
        return folder

    def python(self, name: str) -> Path:
        return self.environments[name].python
