"""The rows of the table: what is measured on either side, and what is to be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

# Readings of a run, in the units of its record.
WALL, CPU = "wall_ns_per_token", "cpu_ns_per_token"
START = "start_ns"  # From the start of the process to its first batch.
FIRST = "open_to_first_batch_ns"  # In the process, after its imports.
MEMORY = "peak_rss_bytes"

STANDARD = 5  # Domains, in the configuration whose throughput is quoted.
REAL = 6  # The domains as they were collected.
TEXT = 0  # The domains as text.
DOMAIN_COUNTS = (1, 5, 22, 100)
PERCENTS = (1, 50, 99)  # Of an epoch, at which a run goes on.
FAR_STEP = 10_000_000


@dataclass(frozen=True)
class Peer:
    """A driver and what it needs."""

    label: str
    driver: str
    environment: str
    part: str
    form: str


PEERS = {
    "numpy": Peer("numpy memmap", "numpy_memmap", "main", "numpy", "flat"),
    "zstandard": Peer("python-zstandard", "zstd_frames", "main", "numpy", "native"),
    "torchdata": Peer("torchdata nodes", "torchdata_nodes", "main", "torchdata", "flat"),
    "grain": Peer("grain flat", "grain_flat", "main", "grain", "flat"),
    "grain-array-record": Peer("grain ArrayRecord", "grain_flat", "main", "grain", "array-record"),
    "litdata": Peer("litdata raw", "litdata_tokens", "main", "litdata", "litdata"),
    "litdata-zstd": Peer("litdata zstd", "litdata_tokens", "main", "litdata", "litdata-zstd"),
    "megatron": Peer("megatron-core", "megatron_blend", "main", "megatron-core", "megatron"),
    "webdataset": Peer("webdataset tar.zst", "webdataset_tar", "main", "webdataset", "tar-zst"),
    "mosaicml": Peer("mosaicml MDS zstd", "mosaicml", "mosaicml", "mosaicml-streaming", "mds-zstd"),
    "datasets": Peer("HF datasets", "datasets_text", "main", "datasets", "json-lines"),
}


@dataclass(frozen=True)
class Run:
    """One side of a row: Headrace (peer is None), or a peer."""

    peer: Optional[str]
    form: str
    domains: int = STANDARD
    workers: int = 0
    throughput: bool = True
    position: Optional[float] = None
    step: Optional[int] = None

    @property
    def label(self) -> str:
        return PEERS[self.peer].label if self.peer else f"Headrace {self.form}"


@dataclass(frozen=True)
class Target:
    """What is to be reached: a least or a most ratio of theirs to ours, or a most value of ours."""

    least_ratio: Optional[float] = None
    most_own_ratio: Optional[float] = None
    most_value: Optional[float] = None

    @property
    def text(self) -> str:
        if self.least_ratio is not None:
            return f">= {self.least_ratio:g} x"
        if self.most_own_ratio is not None:
            return f"<= {self.most_own_ratio:g} of it"
        return f"<= {(self.most_value or 0) / 2**20:g} MiB"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    key: str
    what: str
    ours: Run
    theirs: Run
    reading: str
    target: Optional[Target] = None


def all_rows() -> list[Row]:
    return [*_throughput(), *_workers(), *_starts(), *_resumes(), *_memory(), *_domain_counts()]


def _ours(**options: object) -> Run:
    return Run(None, "native", **options)  # type: ignore[arg-type]


def _theirs(peer: str, **options: object) -> Run:
    return Run(peer, PEERS[peer].form, **options)  # type: ignore[arg-type]


def _throughput() -> list[Row]:
    raw = {"torchdata": 1.1, "numpy": 1.3, "grain": 5, "litdata": 6, "megatron": 14}
    rows = [
        Row(f"raw/{peer}", "0 threads, wall; peer reads uncompressed", _ours(), _theirs(peer), WALL, Target(ratio))
        for peer, ratio in raw.items()
    ]
    fast = Run(None, "native-fast")
    for peer in ("torchdata", "numpy"):
        what = "the same, packed at level -1"
        rows.append(Row(f"raw-fast/{peer}", what, fast, _theirs(peer), WALL, Target(raw[peer])))
    for peer in ("zstandard", "litdata-zstd", "grain-array-record", "webdataset", "mosaicml"):
        rows.append(Row(f"zstd/{peer}", "0 threads, wall; both read zstd", _ours(), _theirs(peer), WALL))
        rows.append(Row(f"zstd-cpu/{peer}", "0 threads, CPU; both read zstd", _ours(), _theirs(peer), CPU))
    same = Run(None, "mds-zstd")
    rows.append(Row("mds/mosaicml", "the same MDS zstd shards, wall", same, _theirs("mosaicml"), WALL, Target(40)))
    same = Run(None, "megatron")
    rows.append(Row("megatron/megatron", "the same .bin and .idx, wall", same, _theirs("megatron"), WALL))
    ours, theirs = Run(None, "json-lines", TEXT), _theirs("datasets", domains=TEXT)
    rows.append(Row("text/datasets", "the same jsonl.zst, text, wall", ours, theirs, WALL, Target(10)))
    return rows


def _workers() -> list[Row]:
    what = "2 threads beside 2 workers, wall"
    return [
        Row(f"workers/{peer}", what, _ours(workers=2), _theirs(peer, workers=2), WALL)
        for peer in ("torchdata", "grain", "litdata", "mosaicml")
    ]


def _starts() -> list[Row]:
    targets = {"mosaicml": Target(60), "grain": Target(4)}
    ours = _ours(domains=REAL, throughput=False)
    rows = []
    for peer in ("mosaicml", "grain", "numpy", "torchdata"):
        theirs = _theirs(peer, domains=REAL, throughput=False)
        what = "process start to first batch, 6 domains"
        rows.append(Row(f"start/{peer}", what, ours, theirs, START, targets.get(peer)))
    theirs = _theirs("datasets", domains=TEXT, throughput=False)
    rows.append(Row("start/datasets", "process start to first batch, 6 domains", ours, theirs, START))
    for peer in ("litdata", "megatron"):
        ours, theirs = _ours(throughput=False), _theirs(peer, throughput=False)
        rows.append(Row(f"start/{peer}", "process start to first batch, 5 domains", ours, theirs, START))
    return rows


def _resumes() -> list[Row]:
    rows = []
    places: list[tuple[str, str, dict[str, object]]] = [
        (f"{percent}-percent", f"{percent} %", {"position": percent / 100}) for percent in PERCENTS
    ]
    places.append(("far-step", "step 10^7", {"step": FAR_STEP}))
    for slug, name, place in places:
        ours, fresh = _ours(throughput=False, **place), _ours(throughput=False)
        what = f"resume at {name}, opening to batch"
        rows.append(Row(f"resume/{slug}/own", f"{what}; beside a start", ours, fresh, FIRST, Target(None, 1.2)))
        for peer in ("grain", "torchdata", "mosaicml", "litdata", "megatron", "datasets", "webdataset", "numpy"):
            domains = TEXT if peer == "datasets" else STANDARD
            theirs = _theirs(peer, domains=domains, throughput=False, **place)
            rows.append(Row(f"resume/{slug}/{peer}", what, ours, theirs, FIRST))
    return rows


def _memory() -> list[Row]:
    limit = Target(None, None, 60 * 2**20)
    rows = [
        Row(
            f"memory/{peer}",
            "peak resident memory, 6 domains, 0 threads",
            _ours(domains=REAL),
            _theirs(peer, domains=REAL),
            MEMORY,
            limit,
        )
        for peer in ("grain", "numpy", "mosaicml")
    ]
    ours, theirs = Run(None, "json-lines", TEXT), _theirs("datasets", domains=TEXT)
    # Frames of text are held within the byte budget, 256 MiB unless it is set.
    held = Target(None, None, (256 + 32) * 2**20)
    return [*rows, Row("memory/datasets", "peak resident memory, text of 6 domains", ours, theirs, MEMORY, held)]


def _domain_counts() -> list[Row]:
    rows = []
    for count in DOMAIN_COUNTS:
        for peer in ("numpy", "mosaicml"):
            ours, theirs = _ours(domains=count), _theirs(peer, domains=count)
            name = f"{count} domain" + ("s" if count > 1 else "")
            for slug, reading, what in (
                ("wall", WALL, "0 threads, wall"),
                ("start", START, "start to first batch"),
                ("memory", MEMORY, "peak resident memory"),
            ):
                rows.append(Row(f"domains/{count}/{peer}/{slug}", f"{name}: {what}", ours, theirs, reading))
    return rows
