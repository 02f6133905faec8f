"""Text → tokens, once: a byte-level BPE that is trained on the spot, and flat UInt16 files.

    FOLDER/NAME.bin    the domain's tokens, little-endian, every document ended by the end-of-text token
    FOLDER/NAME.ends   for every document the number of tokens up to its end, UInt64
    FOLDER/corpus.json names, counts, vocabulary

A corpus of another number of domains is the same tokens cut otherwise, at document ends.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np

from . import text

VOCABULARY = 32_768
TRAINING_LETTERS = 12_000_000
DOCUMENTS_AT_ONCE = 2000


@dataclass(frozen=True)
class FlatDomain:
    """The tokens of one domain on disk."""

    name: str
    path: Path
    token_count: int

    def tokens(self) -> np.ndarray:
        return np.memmap(self.path, dtype="<u2", mode="r")

    def ends(self) -> np.ndarray:
        return np.fromfile(self.path.with_suffix(".ends"), dtype="<u8")


@dataclass(frozen=True)
class FlatCorpus:
    """The flat tokens from which every other format is made."""

    folder: Path
    vocabulary_size: int
    end_of_text: int
    domains: list[FlatDomain]

    @property
    def token_count(self) -> int:
        return sum(domain.token_count for domain in self.domains)

    def weights(self) -> list[float]:
        return [domain.token_count / self.token_count for domain in self.domains]


def read(folder: Path) -> FlatCorpus:
    record = json.loads((folder / "corpus.json").read_text())
    domains = [FlatDomain(d["name"], folder / f"{d['name']}.bin", d["tokens"]) for d in record["domains"]]
    return FlatCorpus(folder, record["vocabulary_size"], record["end_of_text"], domains)


def tokenize(text_folder: Path, names: list[str], folder: Path, token_count: int) -> None:
    """Writes the flat corpus of the text, about `token_count` tokens, where it does not stand yet."""
    if (folder / "corpus.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(folder / "tokenizer.json", text_folder, names)
    end_of_text = tokenizer.token_to_id("<|endoftext|>")
    counts: dict[str, int] = {}
    for name in names:
        share = text.DOMAINS[name].share if name in text.DOMAINS else 1 / len(names)
        limit = int(share * token_count)
        counts[name] = _write(
            folder, name, _encoded(tokenizer, text_folder / f"{name}.jsonl", limit), end_of_text
        )
        print(f"peers: domain {name}: {counts[name]:,} tokens", file=sys.stderr, flush=True)
    _record(folder, counts, tokenizer.get_vocab_size(), end_of_text)


def cut(source: FlatCorpus, folder: Path, domain_count: int) -> None:
    """Writes the same tokens as `domain_count` domains, the last four times as large as the first."""
    if (folder / "corpus.json").is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    tokens = np.concatenate([domain.tokens() for domain in source.domains])
    begins = np.cumsum([0] + [domain.token_count for domain in source.domains[:-1]])
    ends = np.concatenate([domain.ends() + begin for domain, begin in zip(source.domains, begins)])
    counts: dict[str, int] = {}
    for index, (first, last) in enumerate(cut_places(ends, domain_count)):
        name = f"domain-{index:03}"
        begin = int(ends[first - 1]) if first else 0
        own = ends[first:last] - begin
        tokens[begin : int(ends[last - 1])].tofile(folder / f"{name}.bin")
        own.astype("<u8").tofile(folder / f"{name}.ends")
        counts[name] = int(own[-1])
    _record(folder, counts, source.vocabulary_size, source.end_of_text)


def cut_places(ends: np.ndarray, domain_count: int) -> list[tuple[int, int]]:
    """The documents [first, last) of every domain; `ends` are where all documents end.

    Sizes grow evenly from the first domain to the last, which has four times as much.
    """
    sizes = np.linspace(1, 4, domain_count) if domain_count > 1 else np.ones(1)
    wanted = np.cumsum(sizes) / sizes.sum() * float(ends[-1])
    places = [0, *(int(np.searchsorted(ends, place)) + 1 for place in wanted[:-1]), len(ends)]
    if any(a >= b for a, b in zip(places, places[1:])):
        raise ValueError(f"{len(ends)} documents are too few for {domain_count} domains")
    return list(zip(places, places[1:]))


def _tokenizer(path: Path, text_folder: Path, names: list[str]):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    if path.is_file():
        return Tokenizer.from_file(str(path))
    print(f"peers: training a byte-level BPE of {VOCABULARY:,} ids", file=sys.stderr, flush=True)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    sample = (_sample(text_folder / f"{name}.jsonl", TRAINING_LETTERS // len(names)) for name in names)
    tokenizer.train_from_iterator(itertools.chain.from_iterable(sample), trainer)
    tokenizer.save(str(path))
    return tokenizer


def _sample(path: Path, letter_count: int) -> Iterator[str]:
    taken = 0
    for document in text.documents(path):
        yield document
        taken += len(document)
        if taken >= letter_count:
            return


def _encoded(tokenizer, path: Path, limit: int) -> Iterator[list[int]]:
    """The documents' tokens until there are `limit`."""
    documents = text.documents(path)
    count = 0
    while count < limit:
        batch = list(itertools.islice(documents, DOCUMENTS_AT_ONCE))
        if not batch:
            return
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            if count >= limit:
                return
            yield encoding.ids
            count += len(encoding.ids) + 1


def _write(folder: Path, name: str, documents: Iterator[list[int]], end_of_text: int) -> int:
    ends: list[int] = []
    count = 0
    with (folder / f"{name}.bin").open("wb") as file:
        for ids in documents:
            np.array([*ids, end_of_text], dtype="<u2").tofile(file)
            count += len(ids) + 1
            ends.append(count)
    np.array(ends, dtype="<u8").tofile(folder / f"{name}.ends")
    return count


def _record(folder: Path, counts: dict[str, int], vocabulary_size: int, end_of_text: int) -> None:
    domains = [{"name": name, "tokens": count} for name, count in counts.items()]
    record = {"vocabulary_size": vocabulary_size, "end_of_text": end_of_text, "domains": domains}
    partial = folder / "corpus.tmp"
    partial.write_text(json.dumps(record, indent=1))
    partial.rename(folder / "corpus.json")
