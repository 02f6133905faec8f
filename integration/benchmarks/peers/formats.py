"""The same tokens in the format of every peer, each written by the peer's own writer.

Samples, where a format has them, are 2,048 consecutive tokens; what is left over at a domain's end is left out.
"""

from __future__ import annotations

import io
import itertools
import json
import struct
import tarfile
from pathlib import Path
from typing import BinaryIO, Iterator

import numpy as np

from . import text
from .tokens import FlatCorpus, FlatDomain

SAMPLE_TOKENS = 2048
SHARD_BYTES = 1 << 26  # The default of mosaicml-streaming and litdata.


def samples(domain: FlatDomain) -> Iterator[np.ndarray]:
    """The domain's tokens in samples."""
    tokens = domain.tokens()
    for begin in range(0, len(tokens) - SAMPLE_TOKENS + 1, SAMPLE_TOKENS):
        yield np.array(tokens[begin : begin + SAMPLE_TOKENS])


def write_native(corpus: FlatCorpus, folder: Path) -> None:
    from . import native

    native.write(corpus, folder)


def write_native_fast(corpus: FlatCorpus, folder: Path) -> None:
    from . import native

    native.write(corpus, folder, native.FAST_LEVEL)


def write_mds(corpus: FlatCorpus, folder: Path, compression: str | None = None) -> None:
    from . import vision_operators  # noqa: F401  Before streaming is imported.
    from streaming import MDSWriter

    columns = {"tokens": f"ndarray:uint16:{SAMPLE_TOKENS}"}
    for domain in corpus.domains:
        with MDSWriter(
            out=str(folder / domain.name),
            columns=columns,
            compression=compression,
            hashes=["xxh64"],
            size_limit=SHARD_BYTES,
        ) as writer:
            for sample in samples(domain):
                writer.write({"tokens": sample})


def write_mds_zstd(corpus: FlatCorpus, folder: Path) -> None:
    write_mds(corpus, folder, "zstd:3")


def write_litdata(corpus: FlatCorpus, folder: Path, compression: str | None = None) -> None:
    import torch
    from litdata.streaming.item_loader import TokensLoader
    from litdata.streaming.writer import BinaryWriter

    for domain in corpus.domains:
        target = folder / domain.name
        target.mkdir(parents=True, exist_ok=True)
        # Chunks hold whole samples: what a chunk has beyond that is not read.
        writer = BinaryWriter(
            str(target),
            chunk_size=SHARD_BYTES // 2,
            compression=compression,
            compression_level="chunk" if compression else None,  # The only one that TokensLoader reads.
            item_loader=TokensLoader(block_size=SAMPLE_TOKENS),
        )
        for number, sample in enumerate(samples(domain)):
            writer.add_item(number, torch.from_numpy(sample))
        writer.done()
        writer.merge()


def write_litdata_zstd(corpus: FlatCorpus, folder: Path) -> None:
    write_litdata(corpus, folder, "zstd")


def write_array_record(corpus: FlatCorpus, folder: Path) -> None:
    from array_record.python.array_record_module import ArrayRecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    for domain in corpus.domains:
        # One record in a group: what grain's documentation asks for where records are read in random order.
        writer = ArrayRecordWriter(str(folder / f"{domain.name}.array_record"), "group_size:1,zstd:3")
        for sample in samples(domain):
            writer.write(sample.tobytes())
        writer.close()


def write_megatron(corpus: FlatCorpus, folder: Path) -> None:
    """Writes .bin and .idx by the layout of megatron-core's IndexedDataset, a sequence for each document.

    Its own builder wants a tensor for each document; the layout is short, and megatron-core reads it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for domain in corpus.domains:
        ends = domain.ends().astype("<i8")
        lengths = np.diff(ends, prepend=0)
        np.asarray(domain.tokens()).tofile(folder / f"{domain.name}.bin")
        with (folder / f"{domain.name}.idx").open("wb") as file:
            file.write(b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, 8, len(ends), len(ends) + 1))
            lengths.astype("<i4").tofile(file)
            (2 * (ends - lengths)).astype("<i8").tofile(file)
            np.arange(len(ends) + 1, dtype="<i8").tofile(file)


def write_tar(corpus: FlatCorpus, folder: Path) -> None:
    """Writes webdataset's tar files in zstd, some 8 MB of tokens each."""
    import zstandard

    folder.mkdir(parents=True, exist_ok=True)
    for domain in corpus.domains:
        everything = samples(domain)
        for part in itertools.count():
            some = list(itertools.islice(everything, 2048))
            if not some:
                break
            path = folder / f"{domain.name}-{part:05}.tar.zst"
            compressor = zstandard.ZstdCompressor(level=3)
            with path.open("wb") as file, compressor.stream_writer(file) as stream:
                _write_tar(stream, part, some)


def _write_tar(stream: BinaryIO, part: int, some: list[np.ndarray]) -> None:
    with tarfile.open(fileobj=stream, mode="w|", format=tarfile.USTAR_FORMAT) as archive:
        for number, sample in enumerate(some):
            content = sample.tobytes()
            member = tarfile.TarInfo(f"{part:04}-{number:04}.tokens")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_json_lines(text_folder: Path, names: list[str], folder: Path) -> None:
    """Writes the text as .jsonl.zst, files of some 16 MB of text in one frame each."""
    import zstandard

    folder.mkdir(parents=True, exist_ok=True)
    domains = []
    for name in names:
        lines: list[bytes] = []
        files: list[str] = []
        byte_count = size = document_count = 0
        for document in text.documents(text_folder / f"{name}.jsonl"):
            line = json.dumps({"text": document}, ensure_ascii=False).encode() + b"\n"
            lines.append(line)
            size += len(line)
            document_count += 1
            byte_count += len(document.encode())
            if size >= 16_000_000:
                files.append(_write_lines(folder, name, len(files), lines, zstandard))
                lines, size = [], 0
        if lines:
            files.append(_write_lines(folder, name, len(files), lines, zstandard))
        domains.append({"name": name, "files": files, "text_bytes": byte_count, "documents": document_count})
    (folder / "files.json").write_text(json.dumps(domains, indent=1))


def _write_lines(folder: Path, name: str, number: int, lines: list[bytes], zstandard) -> str:
    path = f"{name}-{number:03}.jsonl.zst"
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    (folder / path).write_bytes(compressor.compress(b"".join(lines)))
    return path


# Format → the environment whose packages write it, and the writer.
WRITERS = {
    "native": ("main", write_native),
    "native-fast": ("main", write_native_fast),
    "mds": ("mosaicml", write_mds),
    "mds-zstd": ("mosaicml", write_mds_zstd),
    "litdata": ("main", write_litdata),
    "litdata-zstd": ("main", write_litdata_zstd),
    "array-record": ("main", write_array_record),
    "megatron": ("main", write_megatron),
    "tar-zst": ("main", write_tar),
}
