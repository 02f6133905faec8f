"""Makes one thing of the cache, in the environment whose packages it needs: `python -m peers.make …`.

    tokens TEXT FOLDER COUNT NAMES…     the flat corpus of the text
    cut SOURCE FOLDER DOMAINS           the same tokens as another number of domains
    format FLAT FOLDER FORMAT           the flat corpus in one format
    json-lines TEXT FOLDER NAMES…       the text as .jsonl.zst

What stands there whole is left alone; what it took is printed and recorded beside it.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

from . import formats, tokens


def main(arguments: list[str]) -> None:
    what, source, folder = arguments[0], Path(arguments[1]), Path(arguments[2])
    record = folder / "made.json"
    if record.is_file():
        return
    # A folder without its record is what an interrupted run left; the tokenizer may stay.
    if what != "tokens":
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    if what == "tokens":
        tokens.tokenize(source, arguments[4:], folder, int(arguments[3]))
    elif what == "cut":
        tokens.cut(tokens.read(source), folder, int(arguments[3]))
    elif what == "format":
        formats.WRITERS[arguments[3]][1](tokens.read(source), folder)
    elif what == "json-lines":
        formats.write_json_lines(source, arguments[3:], folder)
    else:
        raise SystemExit(f"make: unknown thing {what}")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    seconds = time.monotonic() - begin
    record.write_text(json.dumps({"command": arguments, "bytes": size, "seconds": round(seconds, 1)}, indent=1))
    print(f"peers: made {folder}: {size / 1e6:.1f} MB in {seconds:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
