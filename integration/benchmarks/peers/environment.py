"""Virtual environments with the peers, at versions that are written down here.

Peers whose requirements contradict each other live in environments of their own. One that cannot be installed is
remembered with the reason, and its rows of the table say so; the others are not held up by it.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TORCH = "2.13.0"
# The release of torchvision that belongs to that torch; two peers import it.
TORCHVISION = "0.28.0"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"

# Environment → part → requirements. The first part is what all others of the environment need.
ENVIRONMENTS: dict[str, dict[str, list[str]]] = {
    "main": {
        "numpy": ["numpy==2.4.6", "zstandard==0.25.0", "tokenizers==0.23.3", "xxhash==4.1.0"],
        "torch": [],
        "grain": ["grain==0.2.18", "array_record==0.8.6"],
        "torchdata": ["torchdata==0.11.0"],
        "webdataset": ["webdataset==1.0.2"],
        "megatron-core": ["megatron-core==0.16.1"],
        "litdata": ["litdata==0.2.76", "zstd==1.5.7.2"],
        "datasets": ["datasets==5.2.0"],
    },
    # Its transformers and the newest datasets want different releases of huggingface_hub.
    "mosaicml": {
        "numpy": ["numpy==2.1.3", "zstandard==0.25.0"],
        "torch": [],
        "mosaicml-streaming": [
            "mosaicml-streaming==0.13.0",
            "transformers==4.57.6",
        ],
    },
}
# A part that is installed but not imported has not been set up.
IMPORTS = {
    "numpy": "numpy",
    "torch": "torch",
    "grain": "grain",
    "torchdata": "torchdata.nodes",
    "webdataset": "webdataset",
    "megatron-core": "megatron.core.datasets.gpt_dataset",
    "litdata": "litdata",
    "datasets": "datasets",
    "mosaicml-streaming": "peers.vision_operators, streaming",
}
NEEDS_TORCH = {"torchdata", "webdataset", "megatron-core", "litdata", "mosaicml-streaming"}
LISTED = (
    "array_record", "datasets", "grain", "litdata", "megatron-core", "mosaicml-streaming", "numpy", "tokenizers",
    "torch", "torchdata", "webdataset", "zstandard",
)  # fmt: skip


@dataclass(frozen=True)
class Environment:
    """One environment as it is on disk."""

    python: Path
    failures: dict[str, str]  # Part → why it could not be set up.
    versions: dict[str, str]


def prepare(folder: Path) -> dict[str, Environment]:
    """Makes what is missing of the environments below `folder` and returns them by name."""
    return {name: _prepare(folder / name, parts) for name, parts in ENVIRONMENTS.items()}


def _prepare(folder: Path, parts: dict[str, list[str]]) -> Environment:
    python = folder / "bin" / "python"
    record = folder / "installed.json"
    wanted = {"parts": parts, "torch": [TORCH, TORCHVISION], "python": platform.python_version()}
    if record.is_file():
        found = json.loads(record.read_text())
        if found["wanted"] == wanted and not found["failures"]:
            return Environment(python, found["failures"], found["versions"])
    if not python.is_file():
        _say(f"making the environment {folder}")
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, stdout=subprocess.DEVNULL)
    failures: dict[str, str] = {}
    for part, requirements in parts.items():
        reason = _missing_first(part, failures) or _install(python, part, requirements)
        if reason:
            failures[part] = reason
            _say(f"{part} could not be set up: {reason}")
    versions = _versions(python)
    record.write_text(json.dumps({"wanted": wanted, "failures": failures, "versions": versions}, indent=1))
    return Environment(python, failures, versions)


def _missing_first(part: str, failures: dict[str, str]) -> str | None:
    if part != "numpy" and "numpy" in failures:
        return "numpy is missing"
    return "torch is missing" if part in NEEDS_TORCH and "torch" in failures else None


def _install(python: Path, part: str, requirements: list[str]) -> str | None:
    """Installs one part; returns why that failed, or None."""
    if not _import_error(python, part) and _are_installed(python, requirements):
        return None
    _say(f"installing {part}: {' '.join(requirements) or TORCH}")
    if part == "torch":
        return _install_torch(python)
    return _pip(python, *_constraints(python), *requirements) or _import_error(python, part)


def _install_torch(python: Path) -> str | None:
    """Installs torch without CUDA: the loaders run on the CPU, and CUDA's libraries take gigabytes.

    PyPI's torch is the CPU's on ARM and macOS. On x86 the build named +cpu comes from wherever this machine's pip
    looks, or from PyTorch's own index; failing that, PyPI's build is tried without the libraries that it names.
    """
    plain = f"torch=={TORCH}"
    attempts = [[plain]]
    if platform.system() == "Linux" and platform.machine() == "x86_64":
        named = f"{plain}+cpu"
        attempts = [["--no-index", named], ["--index-url", TORCH_INDEX, "--retries", "0", "--no-deps", named]]
        attempts.append(["--no-deps", plain])
        parts = ["filelock", "typing-extensions", "sympy", "networkx", "jinja2", "fsspec", "setuptools"]
        failure = _pip(python, *parts)
        if failure:
            return failure
    reason: str | None = None
    for attempt in attempts:
        reason = _pip(python, *attempt) or _import_error(python, "torch")
        if not reason:
            return None
    return reason


def _constraints(python: Path) -> list[str]:
    """Keeps pip from exchanging torch for another build, where there is one."""
    installed = _versions(python).get("torch")
    if not installed:
        return []
    path = python.parent.parent / "constraints.txt"
    path.write_text(f"torch=={installed}\ntorchvision=={TORCHVISION}\n")
    return ["-c", str(path)]


def _pip(python: Path, *arguments: str) -> str | None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return (lines or done.stderr.splitlines() or ["pip failed"])[0]


def _import_error(python: Path, part: str) -> str | None:
    command = [str(python), "-c", f"import {IMPORTS[part]}"]
    # From the folder that holds this package.
    folder = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return None if done.returncode == 0 else (done.stderr.splitlines() or ["import failed"])[-1]


def _are_installed(python: Path, requirements: list[str]) -> bool:
    versions = _versions(python)
    named = [requirement.split("==") for requirement in requirements]
    return all(versions.get(name.replace("_", "-")) == version for name, version in named)


def _versions(python: Path) -> dict[str, str]:
    done = subprocess.run(
        [str(python), "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {entry["name"].lower().replace("_", "-"): entry["version"] for entry in json.loads(done.stdout)}


def _say(text: str) -> None:
    print(f"peers: {text}", file=sys.stderr, flush=True)
