"""Compares Headrace with other loaders on the same tokens and prints one table.

Everything is set up where it is missing: virtual environments with the peers, text from Debian packages (downloaded
and unpacked, not installed), its tokens, and these in every peer's format. All of it stays below
$HEADRACE_BENCH_CACHE (default: headrace-bench in the user's cache folder) and is used again. Each side of a row runs
in a process of its own; the sides take turns; ratios are medians over the rounds.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import environment, rows, table
from .cache import Cache, root
from .compare import Comparison


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="run.sh peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small corpus, short runs, two rounds: to see that it works")
    parser.add_argument("--rows", metavar="PATTERN", default="*", help="only the rows of these names, such as 'start/*'")
    parser.add_argument("--list", action="store_true", help="print the names of the rows")
    parser.add_argument("--rounds", type=int, help="alternating rounds (default: 7, or 2 with --quick)")
    parser.add_argument("--seconds", type=float, help="of each throughput run (default: 2, or 0.3 with --quick)")
    parser.add_argument("--megatokens", type=int, help="million tokens of the corpus (default: 56, or 8 with --quick)")
    parser.add_argument("--json", metavar="FILE", type=Path, help="also write everything that was measured")
    parser.add_argument("--headrace", metavar="COMMAND", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    chosen = [row for row in rows.all_rows() if fnmatch.fnmatchcase(row.key, options.rows)]
    if options.list:
        print("\n".join(row.key for row in chosen))
        return 0
    if not chosen:
        print(f"no row is named {options.rows}; --list shows the names", file=sys.stderr)
        return 2
    if options.headrace is None or not options.headrace.is_file():
        print("--headrace names no command; run this by integration/benchmarks/run.sh peers", file=sys.stderr)
        return 2
    cache = Cache.open(options.megatokens or (8 if options.quick else 56))
    comparison = Comparison(
        cache,
        options.headrace.resolve(),
        options.seconds or (0.3 if options.quick else 2),
        options.rounds or (2 if options.quick else 7),
    )
    outcomes = comparison.measure(chosen)
    facts = machine(cache)
    print("\n".join(f"{name}: {value}" for name, value in facts.items()))
    print(f"rounds: {comparison.rounds}, {comparison.seconds} s each; page cache warm; batches of [8, 2048] int64\n")
    print(table.text(outcomes))
    print("\nratio: the peer's time, bytes or CPU time to Headrace's; 'of it': Headrace's to the other side's")
    print("settings of the peers:")
    for name, value in sorted(comparison.settings.items()):
        print(f"  {name}: {value}")
    print("what was yielded, looked up in the corpus (rows, pieces not found, rows that came twice):")
    for name, record in comparison.checks.items():
        print(f"  {name}: {record.get('failed') or list(record.values())}")
    if options.json:
        record = {"facts": facts, "rounds": comparison.rounds, "seconds": comparison.seconds}
        record |= {"settings": comparison.settings, "checks": comparison.checks}
        record["rows"] = [outcome.record() for outcome in outcomes]
        options.json.write_text(json.dumps(record, indent=1))
    return 0


def machine(cache: Cache) -> dict[str, Any]:
    """What a figure has to be read with."""
    versions: dict[str, str] = {}
    for part in cache.environments.values():
        for name in environment.LISTED:
            version = part.versions.get(name.replace("_", "-"))
            if version and version not in versions.get(name, ""):
                versions[name] = f"{versions[name]} and {version}" if name in versions else version
    record = json.loads((cache.folder / "tokens" / "corpus.json").read_text())
    counts = {domain["name"]: domain["tokens"] for domain in record["domains"]}
    return {
        "headrace": _first_line("git", "rev-parse", "--short", "HEAD"),
        "peers": ", ".join(f"{name} {version}" for name, version in sorted(versions.items())),
        "python": platform.python_version(),
        "libzstd": _first_line("pkg-config", "--modversion", "libzstd"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "corpus": ", ".join(f"{name} {count / 1e6:.1f} M" for name, count in counts.items())
        + f"; {sum(counts.values()) / 1e6:.1f} M tokens of a byte-level BPE of {record['vocabulary_size']:,} ids, "
        + f"{2 * sum(counts.values()) / 1e6:.0f} MB as UInt16",
        "cache": str(root()),
    }


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


if __name__ == "__main__":
    sys.exit(main())
