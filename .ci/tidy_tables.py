"""The tables that tidy reads: what may be imported where, how long things may get, which words are not ours.

A limit is raised only by a commit that says why.
"""

from __future__ import annotations

LINE_LENGTHS = {".swift": 100, ".c": 120, ".h": 120}
# A line that is one string literal, which the formatter does not break either.
TEXT_LINE_LENGTH = 120
SOURCE_FILE_LINES = 600
TEST_FILE_LINES = 800
FUNCTION_LINES = 60

# Everything that may stand at the top of the repository, besides dot-files.
TOP_LEVEL = {"Package.swift", "Sources", "Tests", "fixtures", "integration", "README.md"}

# Modules that may print and exit; all others are libraries.
PROGRAMS = {"HeadraceTool"}

# What any module may import: the language's own libraries, and Foundation for small JSON files.
SYSTEM_IMPORTS = {
    "Darwin",
    "Dispatch",
    "Foundation",
    "FoundationEssentials",
    "Glibc",
    "Musl",
    "Synchronization",
}
# What a test may import besides the modules under test and what those may import.
TEST_IMPORTS = {"Testing", "HeadraceTesting"}

_DATA = {"CZstd", "CKernels", "Logging", "Collections", "Crypto", "SystemPackage"}
_NUMBERS = {"Kernels", "Numerics", "RealModule", "Collections"}

# The arrows between modules: each may import the entries beside it and SYSTEM_IMPORTS.
IMPORTS: dict[str, set[str]] = {
    "CZstd": set(),
    "CKernels": set(),
    "CHeadrace": set(),
    "Corpora": _DATA,
    "Kernels": {"CKernels", "Numerics", "RealModule"},
    "Mixing": _NUMBERS,
    "Loading": {"Corpora", "Mixing"} | (_DATA - {"CZstd"}),
    "Headrace": {"Corpora", "Mixing", "Loading"},
    "Fitting": {"Mixing"} | _NUMBERS,
    # A run opens its corpus, and its files become whole as a corpus's do.
    "Training": {"Corpora", "Loading", "Mixing", "Logging"} | _NUMBERS,
    "Ablations": {"Training", "Fitting", "Corpora", "Loading", "Mixing", "Logging", "Collections"},
    "HeadraceTool": {
        "Headrace",
        "Corpora",
        "Mixing",
        "Kernels",
        "Loading",
        "Fitting",
        "Training",
        "Ablations",
        "ArgumentParser",
        "Logging",
        "Collections",
        "CZstd",
        "CKernels",
    },
    "HeadraceABI": {"Headrace", "CHeadrace"},
    # The conformance suites in Tests/Support.
    "HeadraceTesting": {"Corpora", "Mixing", "Loading", "Testing", "CZstd"},
    # A program that tests start, in Tests/RankProcess.
    "RankProcess": {"Corpora", "Mixing", "Loading"},
    # What parsers must hold to, and libFuzzer's program.
    "FuzzParsers": {"Corpora", "Mixing", "Loading", "CZstd"},
    "Fuzz": {"FuzzParsers"},
}
# Tests may look at more than the module that they test: the parts that it is made from.
TEST_MODULES: dict[str, set[str]] = {
    "CorporaTests": {"Corpora", "Mixing"},
    "FuzzTests": {"FuzzParsers", "Kernels"},
    "LoadingTests": {"Loading", "CZstd", "RankProcess"},
    "TrainingTests": {"Training", "Corpora", "CKernels"},
    "AblationsTests": {"Ablations", "Corpora", "Kernels"},
}

# Lines of Swift and C that a module may have in all.
LINE_BUDGETS = {
    "CZstd": 50,
    "CKernels": 2500,
    "CHeadrace": 1000,
    "Corpora": 12000,
    "Kernels": 3000,
    "Mixing": 11000,
    "Loading": 8500,
    "Headrace": 300,
    "Fitting": 10000,
    # The synthetic world and what its tables say are a fifth of it.
    "Training": 5500,
    "Ablations": 4000,
    "HeadraceTool": 6500,
    "HeadraceABI": 1500,
}

# A source file below this many lines needs no test file of its own.
PARTNERLESS_LINES = 60

# Words of the vocabulary's "not" column that no Swift name may be made of, and what to say instead.
WORDS = {
    "bos": "beginOfText",
    "cnt": "count",
    "curriculum": "schedule",
    "dataset": "corpus",
    "datasets": "corpora",
    "eos": "endOfText",
    "idx": "index",
    "iter": "step",
    "len": "count",
    "minibatch": "batch",
    "minibatches": "batches",
    "nll": "loss",
    "num": "count",
    "ppl": "perplexity",
    "rng": "generator",
    "weighter": "policy",
}

# Policy files that hold no formula: the protocol itself.
PROTOCOL_FILES = {"MixturePolicy.swift"}
