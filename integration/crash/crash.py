#!/usr/bin/env python3
r"""Kills a program at every moment that matters, lets it go on, and compares what it leaves.

    python3 crash.py --scratch DIR --run 'headrace pack … --output {work}/corpus' --outputs 'corpus/**/*' \
        --random 200 --pause-us 500 --order --fail ENOSPC,EIO

In the commands `{work}` stands for the folder of one trial; all that the program writes must lie in it. One
reference run under the shim (shim.c) counts the calls that change files. Then, for each of them and each mode
(before, after, half a write), a fresh folder: run until killed, optionally look (`--after-kill CMD` must exit
with 0), resume (the same command again, unless `--resume` says another), compare with the reference.
`--random N` adds N kills by the clock, at moments drawn uniformly over the run, and says how many fell inside
a write. `--fail` lets calls fail instead. `--order` checks write, fsync, rename, fsync of the folder.

The functions can be imported, for a program whose outputs need a comparison of their own: see Program, Shim,
reference_run, kill_at_calls, fail_at_calls, kill_at_random_moments, order_violations.

Exit code: 0 if every trial ended as the reference did, 1 if one did not, 2 for a wrong command line, 77 where
the shim cannot work.
"""

from __future__ import annotations

import argparse
import json
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
HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE))

from crash_log import WRITES, Call, order_violations, read_log  # noqa: E402


class CrashError(Exception):
    """The test itself cannot go on: a command failed that no one killed."""


@dataclass
class Program:
    """What is run. In every argument `{work}` stands for the folder of the trial."""

    run: Sequence[str]
    outputs: Sequence[
        str
    ]  # Globs in the trial's folder; what they name must be equal to the reference's, byte for byte.
    resume: Optional[Sequence[str]] = None  # The run command again, if left out.
    prepare: Optional[Sequence[str]] = None  # Fills a new trial's folder, unwatched.
    after_kill: Optional[Sequence[str]] = None  # Must exit with 0 on what a kill left behind.
    without_keys: Sequence[
        str
    ] = ()  # Keys of JSON lines that may differ, such as times; looked at in *.jsonl outputs.
    verify: Optional[Sequence[str]] = (
        None  # Must exit with 0 after the resume; `{reference}` stands for the reference's folder.
    )
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
        build = [
            "cc",
            "-shared",
            "-fPIC",
            "-O1",
            "-Wall",
            "-Wextra",
            "-o",
            str(self.library),
            str(HERE / "shim.c"),
        ]
        done = subprocess.run(build, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CrashError(f"the shim does not build: {done.stderr}")

    def environment(self, root: Path, log: Path, **settings: object) -> dict[str, str]:
        """`settings` are the shim's own, without SHIM_ and in small letters: kill_at=3, kill_mode="half"."""
        environment = dict(
            os.environ,
            SWIFT_BACKTRACE="enable=no",
            LD_PRELOAD=str(self.library),
            SHIM_ROOT=str(root),
            SHIM_LOG=str(log),
        )
        environment.update({f"SHIM_{name.upper()}": str(value) for name, value in settings.items()})
        return environment

    def run(
        self, command: Sequence[str], root: Path, log: Path, deadline: float = 120, **settings: object
    ) -> "subprocess.CompletedProcess[str]":
        """Runs a command to its end; the return code is -9 if the shim killed it."""
        return _run(command, deadline, self.environment(root, log, **settings))

    def new_trial(self, name: str, program: Program) -> Path:
        work = self.scratch / name
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        if program.prepare:
            _expect_success(_run(program.command(program.prepare, work), program.deadline), "prepare")
        return work


def _run(
    command: Sequence[str], deadline: float, environment: Optional[dict[str, str]] = None
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=deadline,
            check=False,
        )
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
    """Runs the program to its end under the shim and remembers what it left and which calls it made.

    A second run without the shim must leave the same: kills are blamed only for what nothing else explains.
    """
    work = shim.new_trial("reference", program)
    log = shim.scratch / "reference.log"
    log.unlink(missing_ok=True)
    start = time.monotonic()
    _expect_success(
        shim.run(program.command(program.run, work), work, log, program.deadline), "the reference run"
    )
    reference = Reference(work, read_log(log), time.monotonic() - start)
    if not output_paths(work, program.outputs):
        raise CrashError(f"the reference run left nothing that is named {' or '.join(program.outputs)}")
    again = shim.new_trial("trial", program)
    _expect_success(_run(program.command(program.run, again), program.deadline), "the second reference run")
    differing = differences(again, work, program)
    if differing:
        raise CrashError(f"two runs that nobody killed differ: {', '.join(differing)}")
    return reference


def output_paths(work: Path, globs: Iterable[str]) -> list[str]:
    return sorted({p.relative_to(work).as_posix() for glob in globs for p in work.glob(glob) if p.is_file()})


def differences(work: Path, reference: Path, program: Program) -> list[str]:
    """How the outputs in two folders differ, one line a file; empty if they are the same."""
    ours, theirs = output_paths(work, program.outputs), output_paths(reference, program.outputs)
    found = [f"{path} is missing" for path in sorted(set(theirs) - set(ours))]
    found += [f"{path} is too many" for path in sorted(set(ours) - set(theirs))]
    for path in ours:
        if path in theirs and _content(work / path, program) != _content(reference / path, program):
            found.append(f"{path} differs")
    return found


def _content(path: Path, program: Program) -> object:
    if not program.without_keys or path.suffix != ".jsonl":
        return path.read_bytes()
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError:
        return path.read_bytes()
    return [
        {k: v for k, v in line.items() if k not in program.without_keys} if isinstance(line, dict) else line
        for line in lines
    ]


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
        return (
            f"{self.trials} trials, {self.killed} killed, {self.inside_write} inside a write, "
            f"{len(self.failures)} ended otherwise than the reference"
        )


def resume_and_compare(program: Program, work: Path, reference: Reference) -> list[str]:
    """Looks at what a kill left, lets the program go on to its end, and returns what is wrong."""
    steps = [
        ("after the kill", program.after_kill),
        ("resume", program.resume or program.run),
        ("verify", program.verify),
    ]
    for what, arguments in steps:
        if arguments:
            try:
                done = _run(program.command(arguments, work, reference.work), program.deadline)
                _expect_success(done, what)
            except CrashError as error:
                return [str(error)]
    return differences(work, reference.work, program)


def _finish(
    tally: Tally, program: Program, work: Path, log: Path, reference: Reference, moment: str, code: int
) -> None:
    tally.trials += 1
    if code == -signal.SIGKILL:
        tally.killed += 1
        tally.inside_write += any(call.name in WRITES and call.result is None for call in read_log(log))
    elif code != 0:
        tally.failures.append(f"{moment}: exited with {code} by itself")
        return
    tally.failures += [f"{moment}: {what}" for what in resume_and_compare(program, work, reference)]


def kill_at_calls(
    shim: Shim,
    program: Program,
    reference: Reference,
    modes: Sequence[str] = MODES,
    most_per_mode: Optional[int] = None,
    seed: int = 17,
) -> Tally:
    """Kills at every counted call, or at `most_per_mode` of them drawn by `seed`, in each mode.

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
            done = shim.run(
                program.command(program.run, work),
                work,
                log,
                program.deadline,
                kill_at=call.number,
                kill_mode=mode,
            )
            moment = f"killed {mode} call {call.number}, {call.name} {Path(call.other or call.path).name}"
            _finish(tally, program, work, log, reference, moment, done.returncode)
    return tally


def fail_at_calls(
    shim: Shim, program: Program, reference: Reference, error: str, most: Optional[int] = None, seed: int = 17
) -> Tally:
    """Lets every counted call, or `most` of them, and all later ones fail with `error`, such as ENOSPC.

    The program must not die by a signal, and if it says that all is well (exit code 0), all must be well.
    Then the error is gone, the program is resumed, and what it leaves is compared.
    """
    tally, calls = Tally(), reference.counted
    if most is not None and len(calls) > most:
        calls = sorted(random.Random(seed).sample(calls, most), key=lambda call: call.number)
    for call in calls:
        work, log = shim.new_trial("trial", program), shim.scratch / "trial.log"
        log.unlink(missing_ok=True)
        tally.trials += 1
        done = shim.run(
            program.command(program.run, work), work, log, program.deadline, fail_at=f"{call.number}+:{error}"
        )
        moment = f"{error} from call {call.number}, {call.name} {Path(call.other or call.path).name}"
        if done.returncode < 0:
            tally.failures.append(f"{moment}: died by signal {-done.returncode}")
        elif done.returncode == 0:
            tally.failures += [
                f"{moment}: exited with 0, but {what}" for what in differences(work, reference.work, program)
            ]
        else:
            tally.failures += [f"{moment}: {what}" for what in resume_and_compare(program, work, reference)]
    return tally


def kill_at_random_moments(
    shim: Shim,
    program: Program,
    reference: Reference,
    count: int,
    seed: int = 17,
    pause_us: int = 0,
    in_a_row: int = 1,
) -> Tally:
    """Kills by the clock, at moments drawn uniformly over the reference run's duration.

    `pause_us` makes every write wait halfway, so that more of the kills fall into one; the duration grows
    with it. With `in_a_row` above 1 the resumed program is killed too, so that many times in all, before it
    may go on to its end.
    """
    tally, generator = Tally(), random.Random(seed)
    writes = sum(call.name in WRITES for call in reference.counted)
    duration = reference.seconds + writes * pause_us / 1e6
    for number in range(1, count + 1):
        work, log = shim.new_trial("trial", program), shim.scratch / "trial.log"
        log.unlink(missing_ok=True)
        settings = {"pause_us": pause_us} if pause_us else {}
        environment = shim.environment(work, log, **settings)
        killed = False
        for attempt in range(in_a_row):
            delay = generator.uniform(0, duration)
            arguments = program.run if attempt == 0 else program.resume or program.run
            code = _run_and_kill(program.command(arguments, work), environment, delay)
            if code != -signal.SIGKILL:
                break
            killed = True
        code = -signal.SIGKILL if killed and code == 0 else code
        _finish(tally, program, work, log, reference, f"random kill {number} after {delay:.4f} s", code)
    return tally


def _run_and_kill(command: Sequence[str], environment: dict[str, str], delay: float) -> int:
    process = subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    return process.returncode


def _parse(arguments: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--scratch",
        type=Path,
        required=True,
        help="where trials take place; its reference and trial folders are replaced",
    )
    for name, text in (
        ("run", "the command"),
        ("resume", "how it goes on; the same command if left out"),
        ("prepare", "fills a new folder"),
        ("after-kill", "must accept what a kill left"),
        ("verify", "must accept the end, besides the comparison; {reference} is the reference's folder"),
    ):
        parser.add_argument(f"--{name}", type=shlex.split, required=name == "run", help=text)
    parser.add_argument(
        "--outputs", nargs="+", required=True, metavar="GLOB", help="what must be equal, by globs in {work}"
    )
    parser.add_argument("--modes", default=",".join(MODES), help="of kills at calls (default: %(default)s)")
    parser.add_argument(
        "--kills-per-mode",
        type=int,
        metavar="N",
        help="at most N calls per mode, drawn by the seed; 0 for none",
    )
    parser.add_argument(
        "--random", type=int, default=0, metavar="N", help="kills by the clock (default: none)"
    )
    parser.add_argument(
        "--pause-us", type=int, default=0, help="wait in the middle of every write during random kills"
    )
    parser.add_argument(
        "--in-a-row", type=int, default=1, metavar="N", help="kill the resumed program too, N times in all"
    )
    parser.add_argument(
        "--fail",
        type=lambda text: text.split(","),
        default=[],
        metavar="ERRNO,…",
        help="also let calls fail, such as ENOSPC,EIO; as many as --kills-per-mode says",
    )
    parser.add_argument(
        "--without-keys", nargs="*", default=[], metavar="KEY", help="keys that may differ in *.jsonl outputs"
    )
    parser.add_argument(
        "--order",
        action="store_true",
        help="check write, fsync, rename, fsync of the folder in the reference run",
    )
    parser.add_argument(
        "--in-place",
        nargs="*",
        default=[],
        metavar="GLOB",
        help="files that may be written at their final names",
    )
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument(
        "--deadline", type=float, default=120, help="seconds for each command (default: %(default)s)"
    )
    parsed = parser.parse_args(arguments)
    if not set(parsed.modes.split(",")) <= set(MODES):
        parser.error(f"--modes takes some of {', '.join(MODES)}")
    return parsed


def main(arguments: Optional[Sequence[str]] = None, say: Callable[[str], None] = print) -> int:
    options = _parse(arguments)
    if not sys.platform.startswith("linux") or not shutil.which("cc"):
        say("the shim needs Linux and a C compiler")
        return 77
    program = Program(
        options.run,
        options.outputs,
        options.resume,
        options.prepare,
        options.after_kill,
        options.without_keys,
        options.verify,
        options.deadline,
    )
    try:
        shim = Shim(options.scratch)
        reference = reference_run(shim, program)
        say(f"reference: {len(reference.counted)} calls in {reference.seconds:.2f} s")
        failures = order_violations(reference.calls, options.in_place) if options.order else []
        tally = kill_at_calls(
            shim, program, reference, options.modes.split(","), options.kills_per_mode, options.seed
        )
        say(f"kills at calls: {tally}")
        for error in options.fail:
            failing = fail_at_calls(shim, program, reference, error, options.kills_per_mode, options.seed)
            say(f"calls that fail with {error}: {failing}")
            tally.add(failing)
        by_clock = kill_at_random_moments(
            shim, program, reference, options.random, options.seed, options.pause_us, options.in_a_row
        )
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
