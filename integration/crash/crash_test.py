"""The self-check of the shim and of crash.py: on a program in C, one in Swift and one in Python.

python3 integration/crash/crash_test.py
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent))

import crash  # noqa: E402
import crash_log  # noqa: E402

C_PROGRAM = r"""
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int count, char **arguments) {
  (void)count;
  if (chdir(arguments[1])) return 9;
  if (mkdir("data", 0755) && errno != EEXIST) return errno;
  int file = open("data/a.tmp", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (file < 0) return errno;
  if (write(file, "0123456789", 10) != 10) return errno;
  if (fsync(file)) return errno;
  if (close(file)) return errno;
  if (rename("data/a.tmp", "data/a")) return errno;
  int folder = open("data", O_RDONLY | O_DIRECTORY);
  if (fsync(folder)) return errno;
  puts("done");
  return 0;
}
"""

SWIFT_PROGRAM = r"""
import Glibc

func check(_ result: Int) { if result < 0 { exit(errno) } }

guard chdir(CommandLine.arguments[1]) == 0 else { exit(9) }
check(Int(mkdir("data", 0o755)))
let file = open("data/a.tmp", O_WRONLY | O_CREAT | O_TRUNC, 0o644)
check(Int(file))
let bytes = Array("0123456789".utf8)
check(bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) })
check(Int(fsync(file)))
check(Int(close(file)))
check(Int(rename("data/a.tmp", "data/a")))
let folder = open("data", O_RDONLY | O_DIRECTORY)
check(Int(fsync(folder)))
print("done")
"""

# Writes two parts, each whole by the four steps, and skips a part that is there. "careless" leaves the temporary file out.
PYTHON_PROGRAM = r"""
import os, sys

work, careless = sys.argv[1], sys.argv[2] == "careless"
for part in ("one", "two"):
    final = os.path.join(work, part)
    if os.path.exists(final):
        continue
    path = final if careless else final + ".tmp"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for block in range(4):
        os.write(file, f"{part} {block}\n".encode() * 100)
    os.fsync(file)
    os.close(file)
    if not careless:
        os.rename(path, final)
    folder = os.open(work, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
"""

EXPECTED = ["mkdir data", "open a.tmp", "write a.tmp", "fsync a.tmp", "rename a", "fsync data"]


class WithScratch(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp()).resolve()
        self.addCleanup(shutil.rmtree, self.folder)
        self.shim = crash.Shim(self.folder)
        self.log = self.folder / "log"

    def build(self, text: str, name: str, *command: str) -> list[str]:
        source, built = self.folder / name, self.folder / "program"
        source.write_text(text)
        subprocess.run([*command, "-o", str(built), str(source)], check=True, capture_output=True)
        return [str(built), "{work}"]


class ShimOnNativePrograms(WithScratch):
    def check(self, command: list[str]) -> None:
        program = crash.Program(command, ["data/a"])
        self.check_log(program)
        self.check_kills(program)
        self.check_failures(program)

    def check_log(self, program: crash.Program) -> None:
        reference = crash.reference_run(self.shim, program)
        seen = [f"{c.name} {Path(c.other or c.path).name}" for c in reference.counted]
        self.assertEqual(seen, EXPECTED)
        self.assertIn("close", [c.name for c in reference.calls])
        self.assertTrue(all(c.succeeded for c in reference.calls))
        self.assertEqual(crash_log.order_violations(reference.calls), [])

    def check_kills(self, program: crash.Program) -> None:
        for mode, size in (("before", 0), ("half", 5), ("after", 10)):
            work = self.shim.new_trial("trial", program)
            done = self.shim.run(
                program.command(program.run, work), work, self.log, kill_at=3, kill_mode=mode
            )
            self.assertEqual((done.returncode, (work / "data/a.tmp").stat().st_size), (-9, size), mode)
        for mode, exists in (("before", False), ("after", True)):
            work = self.shim.new_trial("trial", program)
            self.shim.run(program.command(program.run, work), work, self.log, kill_at=5, kill_mode=mode)
            self.assertEqual((work / "data/a").exists(), exists)

    def check_failures(self, program: crash.Program) -> None:
        for number in range(1, len(EXPECTED) + 1):
            for fail_at in (f"{number}:ENOSPC", f"{number}+:28"):
                work = self.shim.new_trial("trial", program)
                done = self.shim.run(program.command(program.run, work), work, self.log, fail_at=fail_at)
                self.assertEqual(done.returncode, 28, fail_at)

    def test_c(self) -> None:
        self.check(self.build(C_PROGRAM, "program.c", "cc"))

    @unittest.skipUnless(shutil.which("swiftc"), "swiftc is not there")
    def test_swift(self) -> None:
        self.check(self.build(SWIFT_PROGRAM, "main.swift", "swiftc", "-O"))

    def test_files_elsewhere_are_not_watched(self) -> None:
        command = self.build(C_PROGRAM, "program.c", "cc")
        outside = self.folder / "outside"
        outside.mkdir()
        done = self.shim.run(
            [command[0], str(outside)], self.folder / "inside", self.log, kill_at=1, kill_mode="before"
        )
        self.assertEqual(done.returncode, 0)
        self.assertEqual(crash_log.read_log(self.log), [])


class Driver(WithScratch):
    def program(self, manner: str) -> crash.Program:
        source = self.folder / "program.py"
        source.write_text(PYTHON_PROGRAM)
        return crash.Program([sys.executable, str(source), "{work}", manner], ["one", "two"])

    def test_a_careful_program_survives_every_kill(self) -> None:
        program = self.program("careful")
        reference = crash.reference_run(self.shim, program)
        self.assertEqual(len(reference.counted), 16)
        tally = crash.kill_at_calls(self.shim, program, reference)
        self.assertEqual(tally.failures, [])
        self.assertEqual((tally.trials, tally.killed, tally.inside_write), (40, 40, 16))

    def test_a_careless_program_is_found_out(self) -> None:
        program = self.program("careless")
        reference = crash.reference_run(self.shim, program)
        tally = crash.kill_at_calls(self.shim, program, reference, ["half"], most_per_mode=3)
        self.assertEqual(tally.killed, 3)
        self.assertEqual(len(tally.failures), 3, tally.failures)
        self.assertTrue(all("differs" in failure for failure in tally.failures))
        self.assertEqual(len(crash_log.order_violations(reference.calls)), 2)
        self.assertEqual(crash_log.order_violations(reference.calls, ["one", "two"]), [])

    def test_random_kills_fall_into_writes(self) -> None:
        program = self.program("careful")
        reference = crash.reference_run(self.shim, program)
        tally = crash.kill_at_random_moments(self.shim, program, reference, 12, pause_us=50_000)
        self.assertEqual((tally.trials, tally.failures), (12, []))
        self.assertGreater(tally.inside_write, 0)
        self.assertGreaterEqual(tally.killed, tally.inside_write)

    def test_kills_in_a_row(self) -> None:
        program = self.program("careful")
        reference = crash.reference_run(self.shim, program)
        tally = crash.kill_at_random_moments(self.shim, program, reference, 3, in_a_row=3)
        self.assertEqual((tally.trials, tally.failures), (3, []))

    def test_failing_calls(self) -> None:
        program = self.program("careful")
        reference = crash.reference_run(self.shim, program)
        tally = crash.fail_at_calls(self.shim, program, reference, "ENOSPC")
        self.assertEqual((tally.trials, tally.failures), (16, []))
        program.run = ["sh", "-c", shlex.join(program.run) + " 2>/dev/null || true"]
        program.run = [word.replace("'{work}'", "{work}") for word in program.run]
        tally = crash.fail_at_calls(self.shim, program, reference, "EIO", most=2)
        self.assertTrue(tally.failures and "exited with 0, but" in tally.failures[0], tally.failures)

    def test_times_in_json_lines_may_differ(self) -> None:
        program = crash.Program([], ["*.jsonl"], without_keys=["seconds"])
        for name, text in (
            ("a", '{"step":1,"seconds":2}\n'),
            ("b", '{"step":1,"seconds":3}\n'),
            ("c", '{"step":2,"seconds":2}\n'),
        ):
            (self.folder / name).mkdir()
            (self.folder / name / "ledger.jsonl").write_text(text)
        self.assertEqual(crash.differences(self.folder / "a", self.folder / "b", program), [])
        self.assertEqual(
            crash.differences(self.folder / "a", self.folder / "c", program), ["ledger.jsonl differs"]
        )

    def test_runs_that_differ_by_themselves_are_refused(self) -> None:
        program = crash.Program(
            [
                sys.executable,
                "-c",
                "import os, sys; open(sys.argv[1] + '/a', 'wb').write(os.urandom(8))",
                "{work}",
            ],
            ["a"],
        )
        with self.assertRaisesRegex(crash.CrashError, "two runs that nobody killed differ"):
            crash.reference_run(self.shim, program)

    def test_an_unkilled_failure_and_a_refused_state_are_failures(self) -> None:
        program = self.program("careful")
        program.after_kill = ["false"]
        reference = crash.reference_run(self.shim, program)
        tally = crash.kill_at_calls(self.shim, program, reference, ["before"], most_per_mode=1)
        self.assertEqual(len(tally.failures), 1)

    def test_command_line(self) -> None:
        program = self.program("careful")
        said: list[str] = []
        arguments = [
            "--scratch",
            str(self.folder / "s"),
            "--run",
            shlex.join(program.run),
            "--outputs",
            "one",
            "two",
            "--kills-per-mode",
            "1",
            "--random",
            "1",
            "--order",
            "--fail",
            "EIO",
            "--in-a-row",
            "2",
        ]
        self.assertEqual(crash.main(arguments, said.append), 0, said)
        self.assertEqual(said[0].split(" in ")[0], "reference: 16 calls")


def calls(*lines: str) -> list[crash_log.Call]:
    """Calls from lines like "write a" and "rename a b", all in the folder /w."""
    made = []
    for number, line in enumerate(lines, 1):
        name, path, *other = line.split()
        made.append(
            crash_log.Call(
                number, 1, name, f"/w/{path}".rstrip("/."), f"/w/{other[0]}" if other else "", 1, 0
            )
        )
    return made


class Order(unittest.TestCase):
    GOOD = ("open a.tmp", "write a.tmp", "fsync a.tmp", "rename a.tmp a", "fsync .")

    def test_good(self) -> None:
        self.assertEqual(crash_log.order_violations(calls(*self.GOOD)), [])
        folder = ("mkdir p", "open p/a", "write p/a", "fsync p/a", "fsync p", "rename p q", "fsync .")
        self.assertEqual(crash_log.order_violations(calls(*folder)), [])
        self.assertEqual(crash_log.order_violations(calls("write bucket", "unlink bucket")), [])

    def test_each_missing_step_is_found(self) -> None:
        for without, text in (
            (2, "a.tmp is not synced before"),
            (4, "is not synced after"),
            (3, "at its final name"),
        ):
            lines = [line for at, line in enumerate(self.GOOD) if at != without]
            found = crash_log.order_violations(calls(*lines))
            self.assertEqual(len(found), 1, found)
            self.assertIn(text, found[0])

    def test_the_wrong_order_is_found(self) -> None:
        self.assertEqual(
            len(crash_log.order_violations(calls("write a", "fsync a", "write a", "rename a b", "fsync ."))),
            1,
        )
        self.assertEqual(
            len(crash_log.order_violations(calls("write a", "fsync a", "fsync .", "rename a b"))), 1
        )
        self.assertEqual(
            len(crash_log.order_violations(calls("write p/a", "fsync p", "rename p q", "fsync ."))), 1
        )
        self.assertEqual(
            len(
                crash_log.order_violations(
                    calls("open p/a", "write p/a", "fsync p/a", "rename p q", "fsync .")
                )
            ),
            1,
        )

    def test_a_failed_sync_does_not_count(self) -> None:
        made = calls(*self.GOOD)
        made[2].result = -1
        self.assertEqual(len(crash_log.order_violations(made)), 1)


if __name__ == "__main__":
    unittest.main()
