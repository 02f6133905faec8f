"""Lets mosaicml-streaming be imported where PyPI's torchvision stands beside a torch without CUDA.

That torchvision cannot load its compiled operators then and fails on import, because it refers to them by name.
Streaming imports torchvision for its image formats alone; declaring the names, which nothing here calls, is enough.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

_NAME = re.compile(r'register_meta\("(\w+)"|register_fake\("torchvision::(\w+)"')


def declare() -> torch.library.Library | None:
    """Declares the operators that torchvision refers to, unless its own library loads."""
    found = importlib.util.find_spec("torchvision")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent
    for library in folder.glob("_C*.so"):
        try:
            torch.ops.load_library(str(library))
            return None
        except (OSError, RuntimeError):
            break
    declared = torch.library.Library("torchvision", "DEF")
    names = {a or b for a, b in _NAME.findall((folder / "_meta_registrations.py").read_text())}
    for name in sorted(names):
        declared.define(f"{name}(Tensor first) -> Tensor")
    return declared


# Kept: what is declared goes away with the object.
DECLARED = declare()
