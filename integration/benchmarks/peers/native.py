"""Native token shards and corpus.json, by the layouts that ShardIndex.swift and CorpusManifest.swift document.

The reader that counts is Headrace's own: `headrace verify` is run on what is written here.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Iterator

import numpy as np
import xxhash
import zstandard

from .specs import INDEX_VERSION
from .tokens import FlatCorpus, FlatDomain

FRAME_TOKENS = 1 << 18
SHARD_TOKENS = 1 << 24
LEVEL = 3  # What `headrace pack` takes unless it is told another.
FAST_LEVEL = -1  # Larger files that take less of the CPU to read.
INDEX_FRAME = 0x184D2A5D
SEEK_TABLE_FRAME = 0x184D2A5E
SEEK_TABLE_MAGIC = 0x8F92EAB1
CHECKSUMS = 0x80  # The seek table's descriptor: entries carry checksums.

# A frame as the index has it: tokens, compressed bytes, documents, first token, checksum, hash.
Entry = tuple[int, int, int, int, int, int]


def write(corpus: FlatCorpus, folder: Path, level: int = LEVEL) -> None:
    """Writes the corpus with one domain folder each, at a zstd level; corpus.json last."""
    domains = []
    for domain in corpus.domains:
        (folder / domain.name).mkdir(parents=True, exist_ok=True)
        shards = [
            write_shard(folder, f"{domain.name}/train-{index}.tokens.zst", tokens, corpus.end_of_text, level)
            for index, tokens in enumerate(_shards(domain))
        ]
        splits = {"train": shards, "held_out": []}
        domains.append(
            {"name": domain.name, "fingerprint": fingerprint(domain.name, splits), "splits": splits}
        )
    manifest = {
        "format": "headrace-corpus",
        "version": 1,
        "name": "peers",
        "tokenizer": {
            "name": "byte-level-bpe",
            "vocabulary_size": corpus.vocabulary_size,
            "end_of_text": corpus.end_of_text,
        },
        "token_width": 2,
        "domains": domains,
    }
    (folder / "corpus.json").write_text(json.dumps(manifest, indent=1))


def write_shard(folder: Path, path: str, tokens: np.ndarray, end_of_text: int, level: int) -> dict[str, object]:
    """Writes one shard and returns its entry of the manifest."""
    compressor = zstandard.ZstdCompressor(level=level, write_checksum=True, write_content_size=True)
    entries: list[Entry] = []
    with (folder / path).open("wb") as file:
        for begin in range(0, len(tokens), FRAME_TOKENS):
            frame_tokens = tokens[begin : begin + FRAME_TOKENS]
            content = frame_tokens.astype("<u2").tobytes()
            frame = compressor.compress(content)
            file.write(frame)
            entries.append(
                (
                    len(content) // 2,
                    len(frame),
                    int(np.count_nonzero(frame_tokens == end_of_text)),
                    int(tokens[begin]),
                    xxhash.xxh64_intdigest(content) & 0xFFFFFFFF,
                    xxhash.xxh64_intdigest(frame),
                )
            )
        tail, checksum = index(entries)
        file.write(tail)
        byte_count = file.tell()
    return {
        "path": path,
        "token_count": len(tokens),
        "document_count": sum(entry[2] for entry in entries),
        "byte_count": byte_count,
        "checksum": f"{checksum:016x}",
    }


def index(entries: list[Entry]) -> tuple[bytes, int]:
    """The two skippable frames that end a shard, and the checksum that the manifest records."""
    token_count = sum(entry[0] for entry in entries)
    document_count = sum(entry[2] for entry in entries)
    body = b"HEADRACE" + struct.pack(
        "<IIQQII", INDEX_VERSION, 2, token_count, document_count, len(entries), FRAME_TOKENS
    )
    body += b"".join(struct.pack("<IIIIIQ", *entry) for entry in entries)
    checksum = xxhash.xxh64_intdigest(body)
    body += struct.pack("<Q", checksum)
    index_frame = struct.pack("<II", INDEX_FRAME, len(body)) + body
    # zstd's seek table: compressed size, content size, checksum; the index frame has no content.
    table = b"".join(struct.pack("<III", entry[1], 2 * entry[0], entry[4]) for entry in entries)
    table += struct.pack("<III", len(index_frame), 0, xxhash.xxh64_intdigest(b"") & 0xFFFFFFFF)
    table += struct.pack("<IBI", len(entries) + 1, CHECKSUMS, SEEK_TABLE_MAGIC)
    return index_frame + struct.pack("<II", SEEK_TABLE_FRAME, len(table)) + table, checksum


def fingerprint(name: str, splits: dict[str, list[dict[str, object]]]) -> str:
    """What identifies a domain's data: the counts and checksums of its shards, in order of split."""
    text = f"domain {name}\n"
    for split in ("train", "held_out"):
        for shard in splits[split]:
            text += f"{split} {shard['token_count']} {shard['document_count']} {shard['checksum']}\n"
    return f"{xxhash.xxh64_intdigest(text.encode()):016x}"


def _shards(domain: FlatDomain) -> Iterator[np.ndarray]:
    """The domain's tokens in shards that end with a document and with a short frame."""
    tokens, ends = domain.tokens(), domain.ends()
    first, begin = 0, 0
    while first < len(ends):
        last = int(np.searchsorted(ends, begin + SHARD_TOKENS))
        # A last frame is shorter than the others, and never empty.
        while last > first + 1 and (int(ends[last - 1]) - begin) % FRAME_TOKENS == 0:
            last -= 1
        last = max(last, first + 1)
        end = int(ends[last - 1])
        yield np.asarray(tokens[begin:end])
        first, begin = last, end
