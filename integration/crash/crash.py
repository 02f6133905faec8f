#!/usr/bin/env python3
"""Kills a program at every moment that matters, lets it go on, and compares what it leaves with a run that was never killed.

    python3 crash.py --scratch DIR --run CMD [--resume CMD] --outputs GLOB... [--kills-per-mode N] [--random N] [--order]

In the commands `{work}` stands for the folder of one trial; all that the program writes must lie in it. One reference run under
the shim (shim.c) counts the calls that change files. Then, for each call and mode (before, after, half a write), a fresh folder:
run until killed, optionally look (`--after-kill CMD` must exit with 0), resume, compare. `--random N` adds N kills by the clock
at moments drawn uniformly over the run, and says how many fell inside a write. `--order` checks write, fsync, rename, fsync of the
folder. The same functions can be imported; see Program, Shim, kill_at_calls, kill_at_random_moments, order_violations.

Exit code: 0 if every trial ended as the reference did, 1 if one did not, 2 for a wrong command line, 77 where the shim cannot work.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Iterable, Optional, Sequence

MODES = ("before", "after", "half")
WRITES = {"write", "pwrite", "writev"}
SYNCS = {"fsync", "fdatasync"}
HERE = Path(__file__).resolve().parent


class CrashError(Exception):
    """The test itself cannot go on: a command failed that no one killed."""


@dataclass
class Call:
    """One line pair of the shim's log. `number` is 0 for calls that cannot be chosen for a kill."""

    number: int
    process: int
    name: str
    path: str
    other: str = ""
    size: int = 0
    result: Optional[int] = None  # None: the process ended inside the call.

    @property
    def succeeded(self) -> bool:
        return self.result is not None and self.result >= 0


def read_log(path: Path) -> list[Call]:
    """The calls of a log in the order in which they began."""
    calls: list[Call] = []
    running: dict[tuple[int, int, str], Call] = {}
    text = path.read_text(encoding="utf-8", errors="surrogateescape") if path.exists() else ""
    for line in text.split("\n"):
        fields = line.split("\t")
        if fields[0] == "B":
            call = Call(int(fields[1]), int(fields[2]), fields[3], fields[4], fields[5], int(fields[6]))
            calls.append(call)
            running[call.number, call.process, call.name] = call
        elif fields[0] == "E":
            finished = running.pop((int(fields[1]), int(fields[2]), fields[3]), None)
            if finished:
                finished.result = int(fields[4])
    return calls


@dataclass
class Program:
    """What is run. In every argument `{work}` stands for the folder of the trial."""

    run: Sequence[str]
    outputs: Sequence[str]  # Globs in the trial's folder; what they name must be equal to the reference's, byte for byte.
    resume: Optional[Sequence[str]] = None  # The run command again, if left out.
    prepare: Optional[Sequence[str]] = None  # Fills a new trial's folder, unwatched.
    after_kill: Optional[Sequence[str]] = None  # Must exit with 0 on what a kill left behind.
    verify: Optional[Sequence[str]] = None  # Must exit with 0 after the resume; `{reference}` stands for the reference's folder.
    deadline: float = 120  # Seconds for each command.

    def command(self, arguments: Sequence[str], work: Path, reference: Optional[Path] = None) -> list[str]:
        return [a.replace("{work}", str(work)).replace("{reference}", str(reference)) for a in arguments]


class Shim:
    """The built shim and the folder in which trials take place."""

    def __init__(self, scratch: Path) -> None:
        if not sys.platform.startswith("linux"):
            raise CrashError("the shim works on Linux only")
        self.scratch = scratch.resolve()
        self.scratch.mkdir(parents=True, exist_ok=True)
        self.library = self.scratch / "shim.so"
        build = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o", str(self.library), str(HERE / "shim.c")]
        done = subprocess.run(build, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CrashError(f"the shim does not build: {done.stderr}")

    def environment(self, root: Path, log: Path, **settings: object) -> dict[str, str]:
        """`settings` are the shim's own without SHIM_, in small letters: kill_at=3, kill_mode="half", fail_at="3:EIO"."""
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no", LD_PRELOAD=str(self.library), SHIM_ROOT=str(root),
                           SHIM_LOG=str(log))
        environment.update({f"SHIM_{name.upper()}": str(value) for name, value in settings.items()})
        return environment

    def run(self, command: Sequence[str], root: Path, log: Path, deadline: float = 120,
            **settings: object) -> "subprocess.CompletedProcess[str]":
        """Runs a command to its end; the return code is -9 if the shim killed it."""
        return _run(command, deadline, self.environment(root, log, **settings))

    def new_trial(self, name: str, program: Program) -> Path:
        work = self.scratch / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if program.prepare:
            _expect_success(_run(program.command(program.prepare, work), program.deadline), "prepare")
        return work


def _run(command: Sequence[str], deadline: float,
         environment: Optional[dict[str, str]] = None) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=deadline, check=False)
    except subprocess.TimeoutExpired:
        raise CrashError(f"{shlex.join(command)} ran past its deadline of {deadline} s") from None


def _expect_success(done: "subprocess.CompletedProcess[str]", what: str) -> None:
    if done.returncode != 0:
        raise CrashError(f"{what} exited with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")


@dataclass
class Reference:
    """The run that nobody killed."""

    work: Path
    calls: list[Call]
    seconds: float

    @property
    def counted(self) -> list[Call]:
        return [call for call in self.calls if call.number]


def reference_run(shim: Shim, program: Program) -> Reference:
    """Runs the program to its end under the shim and remembers what it left and which calls it made."""
    work = shim.new_trial("reference", program)
    log = shim.scratch / "reference.log"
    log.unlink(missing_ok=True)
    start = time.monotonic()
    _expect_success(shim.run(program.command(program.run, work), work, log, program.deadline), "the reference run")
    reference = Reference(work, read_log(log), time.monotonic() - start)
    if not output_paths(work, program.outputs):
        raise CrashError(f"the reference run left nothing that is named {' or '.join(program.outputs)}")
    return reference


def output_paths(work: Path, globs: Iterable[str]) -> list[str]:
    return sorted({p.relative_to(work).as_posix() for glob in globs for p in work.glob(glob) if p.is_file()})


def differences(work: Path, reference: Path, globs: Sequence[str]) -> list[str]:
    """How the outputs in two folders differ, one line a file; empty if they are the same bytes."""
    ours, theirs = output_paths(work, globs), output_paths(reference, globs)
    found = [f"{path} is missing" for path in sorted(set(theirs) - set(ours))]
    found += [f"{path} is too many" for path in sorted(set(ours) - set(theirs))]
    found += [f"{path} differs" for path in ours
              if path in theirs and (work / path).read_bytes() != (reference / path).read_bytes()]
    return found


@dataclass
class Tally:
    """What came of many trials."""

    trials: int = 0
    killed: int = 0
    inside_write: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.trials += other.trials
        self.killed += other.killed
        self.inside_write += other.inside_write
        self.failures += other.failures

    def __str__(self) -> str:
        return (f"{self.trials} trials, {self.killed} killed, {self.inside_write} inside a write, "
                f"{len(self.failures)} ended otherwise than the reference")


def resume_and_compare(program: Program, work: Path, reference: Reference) -> list[str]:
    """Looks at what a kill left, lets the program go on to its end, and returns what is wrong."""
    steps = [("after the kill", program.after_kill), ("resume", program.resume or program.run), ("verify", program.verify)]
    for what, arguments in steps:
        if arguments:
            try:
                done = _run(program.command(arguments, work, reference.work), program.deadline)
                _expect_success(done, what)
            except CrashError as error:
                return [str(error)]
    return differences(work, reference.work, program.outputs)


def _finish(tally: Tally, program: Program, work: Path, log: Path, reference: Reference, moment: str, code: int) -> None:
    tally.trials += 1
    if code == -signal.SIGKILL:
        tally.killed += 1
        tally.inside_write += any(call.name in WRITES and call.result is None for call in read_log(log))
    elif code != 0:
        tally.failures.append(f"{moment}: exited with {code} by itself")
        return
    tally.failures += [f"{moment}: {what}" for what in resume_and_compare(program, work, reference)]


def kill_at_calls(shim: Shim, program: Program, reference: Reference, modes: Sequence[str] = MODES,
                  most_per_mode: Optional[int] = None, seed: int = 17) -> Tally:
    """Kills at every counted call of the reference run, or at `most_per_mode` of them drawn by `seed`, in each mode.

    With several threads the n-th call may be another one than in the reference; the trial is as good.
    """
    tally, generator = Tally(), random.Random(seed)
    for mode in modes:
        calls = [call for call in reference.counted if mode != "half" or call.name in WRITES]
        if most_per_mode is not None and len(calls) > most_per_mode:
            calls = sorted(generator.sample(calls, most_per_mode), key=lambda call: call.number)
        for call in calls:
            work, log = shim.new_trial("trial", program), shim.scratch / "trial.log"
            log.unlink(missing_ok=True)
            done = shim.run(program.command(program.run, work), work, log, program.deadline, kill_at=call.number, kill_mode=mode)
            moment = f"killed {mode} call {call.number}, {call.name} {Path(call.other or call.path).name}"
            _finish(tally, program, work, log, reference, moment, done.returncode)
    return tally


def kill_at_random_moments(shim: Shim, program: Program, reference: Reference, count: int, seed: int = 17,
                           pause_us: int = 0) -> Tally:
    """Kills by the clock, at moments drawn uniformly over the reference run's duration.

    `pause_us` makes every write wait halfway, so that more of the kills fall into one; the duration grows with it.
    """
    tally, generator = Tally(), random.Random(seed)
    writes = sum(call.name in WRITES for call in reference.counted)
    duration = reference.seconds + writes * pause_us / 1e6
    for number in range(1, count + 1):
        work, log = shim.new_trial("trial", program), shim.scratch / "trial.log"
        log.unlink(missing_ok=True)
        delay = generator.uniform(0, duration)
        settings = {"pause_us": pause_us} if pause_us else {}
        process = subprocess.Popen(program.command(program.run, work), env=shim.environment(work, log, **settings),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _finish(tally, program, work, log, reference, f"random kill {number} after {delay:.4f} s", process.returncode)
    return tally


def order_violations(calls: Sequence[Call], in_place: Sequence[str] = ()) -> list[str]:
    """What the log of a whole run shows against "write, fsync, rename, fsync of the folder"; empty if nothing does.

    For each file or folder that comes to its name by a rename: every write to it, or to a file in it, is followed by an fsync of
    that file before the rename; the rename is followed by an fsync of the folder that it landed in. A file that is written and
    neither renamed nor deleted afterwards is a violation unless its name matches a glob in `in_place`.
    """
    done = [call for call in calls if call.succeeded]
    found = []
    for at, call in enumerate(done):
        if call.name != "rename":
            continue
        for path in _unsynced(done[:at], call.path):
            found.append(f"{path} is renamed to {call.other} before its bytes are synced")
        folder = os.path.dirname(call.other)
        if not any(later.name in SYNCS and later.path == folder for later in done[at + 1:]):
            found.append(f"{folder} is not synced after {os.path.basename(call.other)} came into it")
    for path in _written_in_place(done):
        if not any(fnmatch.fnmatchcase(os.path.basename(path), glob) for glob in in_place):
            found.append(f"{path} is written at its final name")
    return found


def _is_within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder + "/")


def _unsynced(calls: Sequence[Call], target: str) -> list[str]:
    """The files at or under `target` that have bytes which no fsync followed."""
    dirty: dict[str, bool] = {}
    for call in calls:
        if call.name == "rename":
            dirty = {_renamed(path, call): state for path, state in dirty.items() if not _is_within(path, call.other)}
        elif call.name in WRITES or call.name in ("ftruncate", "open"):
            # An open may have made an empty file; that matters only where bytes follow, or where the file stays empty.
            dirty[call.path] = dirty.get(call.path, False) or call.name != "open"
        elif call.name in SYNCS:
            dirty[call.path] = False
        elif call.name == "unlink":
            dirty.pop(call.path, None)
    return sorted(path for path, state in dirty.items() if state and _is_within(path, target))


def _renamed(path: str, rename: Call) -> str:
    return rename.other + path[len(rename.path):] if _is_within(path, rename.path) else path


def _written_in_place(calls: Sequence[Call]) -> list[str]:
    open_for_writing: set[str] = set()
    for call in calls:
        if call.name in WRITES:
            open_for_writing.add(call.path)
        elif call.name == "rename":
            open_for_writing = {path for path in open_for_writing if not _is_within(path, call.path)}
        elif call.name == "unlink":
            open_for_writing.discard(call.path)
    return sorted(open_for_writing)


def _parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scratch", type=Path, required=True, help="where trials take place; its reference and trial folders are replaced")
    for name, text in (("run", "the command"), ("resume", "how it goes on; the same command if left out"),
                       ("prepare", "fills a new folder"), ("after-kill", "must accept what a kill left"),
                       ("verify", "must accept the end, besides the comparison; {reference} is the reference's folder")):
        parser.add_argument(f"--{name}", type=shlex.split, required=name == "run", help=text)
    parser.add_argument("--outputs", nargs="+", required=True, metavar="GLOB", help="what must be equal, by globs in {work}")
    parser.add_argument("--modes", default=",".join(MODES), help="of kills at calls (default: %(default)s)")
    parser.add_argument("--kills-per-mode", type=int, metavar="N", help="at most N calls per mode, drawn by the seed; 0 for none")
    parser.add_argument("--random", type=int, default=0, metavar="N", help="kills by the clock (default: none)")
    parser.add_argument("--pause-us", type=int, default=0, help="wait in the middle of every write during random kills")
    parser.add_argument("--order", action="store_true", help="check write, fsync, rename, fsync of the folder in the reference run")
    parser.add_argument("--in-place", nargs="*", default=[], metavar="GLOB", help="files that may be written at their final names")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--deadline", type=float, default=120, help="seconds for each command (default: %(default)s)")
    parsed = parser.parse_args(arguments)
    if not set(parsed.modes.split(",")) <= set(MODES):
        parser.error(f"--modes takes some of {', '.join(MODES)}")
    return parsed


def main(arguments: Optional[Sequence[str]] = None, say: Callable[[str], None] = print) -> int:
    options = _parse(arguments)
    if not sys.platform.startswith("linux") or not shutil.which("cc"):
        say("the shim needs Linux and a C compiler")
        return 77
    program = Program(options.run, options.outputs, options.resume, options.prepare, options.after_kill, options.verify,
                      options.deadline)
    try:
        shim = Shim(options.scratch)
        reference = reference_run(shim, program)
        say(f"reference: {len(reference.counted)} calls in {reference.seconds:.2f} s")
        failures = order_violations(reference.calls, options.in_place) if options.order else []
        tally = kill_at_calls(shim, program, reference, options.modes.split(","), options.kills_per_mode, options.seed)
        say(f"kills at calls: {tally}")
        by_clock = kill_at_random_moments(shim, program, reference, options.random, options.seed, options.pause_us)
        say(f"kills by the clock: {by_clock}")
    except CrashError as error:
        say(str(error))
        return 1
    failures += tally.failures + by_clock.failures
    for failure in failures:
        say(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
