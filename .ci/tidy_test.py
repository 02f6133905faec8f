"""The tests of tidy: every rule speaks about a bad snippet and stays silent about a good one.

python3 .ci/tidy_test.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Callable

sys.dont_write_bytecode = True
HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import tidy_rules as rules  # noqa: E402
import tidy_tables as tables  # noqa: E402
import tidy_wrap  # noqa: E402
from tidy_source import SourceFile, split_code_and_comments  # noqa: E402

LIBRARY = "Sources/Mixing/Mixture.swift"
PROGRAM = "Sources/HeadraceTool/Pack.swift"
TEST = "Tests/MixingTests/MixtureTests.swift"


def swift_function(line_count: int) -> str:
    return "func long() {\n" + "  work()\n" * (line_count - 2) + "}\n"


class Splitting(unittest.TestCase):
    def code(self, text: str) -> str:
        return split_code_and_comments(text, swift=True)[0]

    def test_comments_and_strings_are_not_code(self) -> None:
        self.assertEqual(self.code('let a = "{" // }\n').split(), ["let", "a", "="])
        self.assertEqual(self.code("/* { /* } */ { */ a").split(), ["a"])
        self.assertEqual(self.code('let a = """\n  { " \\" }\n  """; b').split(), ["let", "a", "=", ";", "b"])
        self.assertEqual(self.code('let a = #"\\" { "#; b').split(), ["let", "a", "=", ";", "b"])

    def test_interpolations_are_code_with_strings_of_their_own(self) -> None:
        self.assertEqual(self.code('"x \\(f("(", g(1))) y" + h').split(), ["f(", ",", "g(1))", "+", "h"])
        self.assertEqual(self.code('#"x \\#(a) \\(b) y"# + h').split(), ["a", "+", "h"])

    def test_length_and_lines_are_kept(self) -> None:
        text = 'a "b\\(c)" // d\n/* e\n */ f\n'
        for part in split_code_and_comments(text, swift=True):
            self.assertEqual((len(part), part.count("\n")), (len(text), text.count("\n")))

    def test_c_characters(self) -> None:
        self.assertEqual(
            split_code_and_comments("a = '\"'; b = '\\''; c", swift=False)[0].split(),
            ["a", "=", ";", "b", "=", ";", "c"],
        )


class FileRules(unittest.TestCase):
    def problems(
        self, rule: Callable[[SourceFile], rules.Problems], text: str, path: str
    ) -> list[rules.Problem]:
        return list(rule(SourceFile(path, text)))

    def bad(
        self, rule: Callable[[SourceFile], rules.Problems], text: str, path: str = LIBRARY, line: int = 1
    ) -> None:
        self.assertEqual([p.line for p in self.problems(rule, text, path)], [line], text)

    def good(self, rule: Callable[[SourceFile], rules.Problems], text: str, path: str = LIBRARY) -> None:
        self.assertEqual(self.problems(rule, text, path), [], text)

    def test_file_length(self) -> None:
        self.bad(rules.file_length, "a\n" * 601, line=601)
        self.good(rules.file_length, "a\n" * 600)
        self.good(rules.file_length, "a\n" * 800, TEST)
        self.bad(rules.file_length, "a\n" * 801, TEST, line=801)

    def test_function_length(self) -> None:
        self.good(rules.function_length, swift_function(60))
        self.bad(rules.function_length, swift_function(61))
        self.bad(rules.function_length, "\nprotocol P {\n  func a()\n}\n" + swift_function(61), line=5)
        self.bad(rules.function_length, "init(\n  a: Int = f({ 1 })\n)" + " {" + "\n" * 60 + "}")
        self.bad(rules.function_length, "var a: Int {" + "\n" * 60 + "}")
        self.good(rules.function_length, "struct A {" + "\n" * 70 + "}")
        self.good(rules.function_length, 'func a() { "{" }\n' + "\n" * 70 + "struct B {}\n")
        self.good(
            rules.function_length,
            "protocol P {\n  func a() -> Int\n  var b: Int { get }\n}\nextension P {" + "\n" * 70 + "}",
        )

    def test_function_length_in_c(self) -> None:
        path = "Sources/CKernels/matrix.c"
        self.bad(rules.function_length, "static int a(void)\n{" + "\n" * 60 + "}\n", path)
        self.good(rules.function_length, "static int a(void)\n{" + "\n" * 58 + "}\n", path)
        self.good(
            rules.function_length, "#define A(x) \\\n  { x \\\n}\nstruct a {" + "\n" * 70 + "};\n", path
        )
        self.good(rules.function_length, "static int a[] = {" + "\n" * 70 + "};\n", path)

    def test_line_length(self) -> None:
        self.good(rules.line_length, "a" * 100)
        self.bad(rules.line_length, "a" * 101)
        self.good(rules.line_length, "a" * 120, "Sources/CKernels/a.c")
        self.bad(rules.line_length, "a" * 121, "Sources/CKernels/a.c")
        self.good(rules.line_length, '  "' + "a" * 110 + '"')
        self.bad(rules.line_length, '  "' + "a" * 120 + '"')
        self.good(rules.line_length, "// https://" + "a" * 120)

    def test_imports(self) -> None:
        self.good(rules.imports, "import Kernels\npublic import Synchronization\n")
        self.bad(rules.imports, "import Kernels\nimport Corpora\n", line=2)
        self.bad(rules.imports, "@_exported public import struct Loading.Batch\n")
        self.good(rules.imports, "// import Corpora\n")
        self.good(rules.imports, "import Testing\nimport Mixing\nimport HeadraceTesting\n", TEST)
        self.bad(rules.imports, "import Corpora\n", TEST)
        self.bad(rules.imports, "import Mixing\n", "Sources/Other/A.swift")
        self.good(rules.imports, "import PackageDescription\n", "Package.swift")

    def test_banned_calls(self) -> None:
        for call in (
            "print(1)",
            "debugPrint(1)",
            "exit(1)",
            "_exit(1)",
            "Date()",
            "a.shuffled()",
            "Int.random(in: 0..<f(1))",
            "var g = SystemRandomNumberGenerator()",
            "fatalError()",
            "try! f()",
            "a as! B",
            '"\\(Date())"',
        ):
            self.bad(rules.banned_calls, call)
        for call in (
            "a.print(1)",
            "fingerprint(1)",
            "onExit(1)",
            "a.shuffled(using: &generator)",
            "// print(1)",
            "Int.random(in: 0..<4, using: &generator)",
            '"print(1)"',
            "LastUpdate(1)",
            "try? f()",
        ):
            self.good(rules.banned_calls, call)
        self.good(rules.banned_calls, "print(1)", PROGRAM)
        self.good(rules.banned_calls, "print(1); try! f()", TEST)
        self.bad(rules.banned_calls, "try! f()", PROGRAM)
        self.good(rules.banned_calls, "// The literal is valid, so this cannot throw.\ntry! f()")

    def test_unchecked_sendable(self) -> None:
        self.bad(rules.unchecked_sendable, "final class A: @unchecked Sendable {}")
        self.bad(rules.unchecked_sendable, "/// A pool.\nfinal class A: @unchecked Sendable {}", line=2)
        self.good(
            rules.unchecked_sendable,
            "// Every field is behind the lock.\nfinal class A: @unchecked Sendable {}",
        )
        self.good(
            rules.unchecked_sendable,
            "// Set once before a thread starts.\n@inline(never)\nnonisolated(unsafe) var a = 1",
        )
        self.bad(rules.unchecked_sendable, "nonisolated(unsafe) var a = 1")

    def test_one_comment_covers_a_block(self) -> None:
        block = "struct A {\n  // Guarded by the lock.\n  nonisolated(unsafe) let a = f(\n    1)\n"
        self.good(rules.unchecked_sendable, block + "  nonisolated(unsafe) let b = 1\n}")
        self.bad(rules.unchecked_sendable, block + "\n  nonisolated(unsafe) let b = 1\n}", line=6)
        self.good(
            rules.unsafe_properties,
            "struct A {\n  // Freed in deinit.\n  let a = 1\n  let b: UnsafeRawPointer\n}",
        )
        self.bad(rules.unsafe_properties, "/// Owned.\nstruct A {\n  let b: UnsafeRawPointer\n}", line=3)

    def test_unsafe_properties(self) -> None:
        self.bad(rules.unsafe_properties, "struct A {\n  let a: UnsafeRawPointer\n}", line=2)
        self.bad(
            rules.unsafe_properties,
            "enum A {\n  func f() {}\n  private(set) var a: UnsafePointer<Int>?\n}",
            line=3,
        )
        self.good(
            rules.unsafe_properties,
            "struct A {\n  // Freed in deinit.\n  let a: UnsafeRawPointer\n  let b: UnsafeRawPointer\n}",
        )
        self.good(
            rules.unsafe_properties, "struct A {\n  func f() {\n    let a: UnsafeRawPointer = b\n  }\n}"
        )
        self.good(rules.unsafe_properties, "struct A {\n  let a: (UnsafeRawPointer) -> Int\n}")

    def test_todo_numbers(self) -> None:
        self.bad(rules.todo_numbers, "// TODO: later")
        self.bad(rules.todo_numbers, "/* FIXME */", "Sources/CKernels/a.c")
        self.good(rules.todo_numbers, "// TODO(#12): later")
        self.good(rules.todo_numbers, 'let a = "TODO"')

    def test_commented_code(self) -> None:
        for line in (
            "// let a = 1",
            "// if a {",
            "// }",
            "//    return f(a)",
            "// print(a)",
            "// a.b = c;",
            "// import Mixing",
        ):
            self.bad(rules.commented_code, line)
        for line in (
            "// Let a be 1.",
            "// if a is 1, then",
            "/// let a = 1",
            "// ε(t) = min(1/K, 1)",
            "// return early",
            "// x = L << l | R",
            "// let the caller decide",
            "// a; b",
            "// The rest goes to b;",
            "// a[i] = log(b). If c is not 0, then d;",
        ):
            self.good(rules.commented_code, line)
        self.bad(rules.commented_code, "/* free(a); */", "Sources/CKernels/a.c")

    def test_policy_sources(self) -> None:
        path = "Sources/Mixing/BanditPolicy.swift"
        good = "/// Source: A 2023.\n///\n/// Departures from the source: none.\n"
        self.good(rules.policy_sources, good, path)
        self.good(rules.policy_sources, "// Nothing.", "Sources/Mixing/MixturePolicy.swift")
        self.bad(rules.policy_sources, "/// Source: A 2023.\n", path)
        self.bad(rules.policy_sources, good.replace("Source:", "From:"), path)

    def test_vocabulary(self) -> None:
        for name in (
            "rng",
            "datasetCount",
            "num_domains",
            "n_domains",
            "myIdx",
            "eosToken",
            "makeRNG",
            "evalNLL",
        ):
            self.bad(rules.vocabulary, f"let {name} = 1")
        for name in (
            "generator",
            "number",
            "numerator",
            "lens",
            "iterator",
            "iov_len",
            "nextIndex",
            "reposition",
            "n",
        ):
            self.good(rules.vocabulary, f"let {name} = 1")
        self.good(rules.vocabulary, '// the dataset\nlet a = "eos"')
        self.good(rules.vocabulary, "int num_rows;", "Sources/CKernels/a.c")


class RepositoryRules(unittest.TestCase):
    def test_line_budgets(self) -> None:
        budget = tables.LINE_BUDGETS["Headrace"]
        self.assertEqual(
            list(rules.line_budgets([SourceFile("Sources/Headrace/A.swift", "a\n" * budget)])), []
        )
        over = [SourceFile(f"Sources/Headrace/{n}.swift", "a\n" * budget) for n in "AB"]
        self.assertEqual(len(list(rules.line_budgets(over))), 1)
        self.assertEqual(len(list(rules.line_budgets([SourceFile("Sources/Other/A.swift", "")]))), 1)

    def test_unique_names(self) -> None:
        files = [SourceFile(path, "") for path in (LIBRARY, TEST, PROGRAM)]
        self.assertEqual(list(rules.unique_names(files)), [])
        twice = rules.unique_names(files + [SourceFile("Sources/Loading/Mixture.swift", "")])
        self.assertEqual([p.path for p in twice], ["Sources/Loading/Mixture.swift"])

    def test_partners(self) -> None:
        long = "a\n" * tables.PARTNERLESS_LINES
        source, topic, test = (
            SourceFile(LIBRARY, long),
            SourceFile("Sources/Mixing/Mixture+Codable.swift", long),
            SourceFile(TEST, ""),
        )
        self.assertEqual(list(rules.test_partners([source, topic, test], [])), [])
        self.assertEqual([p.path for p in rules.test_partners([source], [])], [LIBRARY])
        self.assertEqual(list(rules.test_partners([source], [LIBRARY])), [])
        self.assertEqual(
            [p.path for p in rules.test_partners([source, test], [LIBRARY])], [".ci/untested.txt"]
        )
        exempt = [
            SourceFile(LIBRARY, "a\n"),
            SourceFile("Sources/Mixing/MixingError.swift", long),
            SourceFile(PROGRAM, long),
        ]
        self.assertEqual(list(rules.test_partners(exempt, [])), [])

    def test_a_test_may_cover_more_files(self) -> None:
        source = SourceFile(LIBRARY, "a\n" * tables.PARTNERLESS_LINES)
        for text, count in (("// Covers: Share.swift, Mixture.swift.\n", 0), ("// Covers: Share.swift\n", 1)):
            test = SourceFile("Tests/MixingTests/ShareTests.swift", text)
            self.assertEqual(len(list(rules.test_partners([source, test], []))), count)

    def test_partners_are_of_the_same_module(self) -> None:
        source = SourceFile(LIBRARY, "a\n" * tables.PARTNERLESS_LINES)
        elsewhere = SourceFile("Tests/LoadingTests/MixtureTests.swift", "")
        self.assertEqual(len(list(rules.test_partners([source, elsewhere], []))), 1)

    def test_provenance(self) -> None:
        paths = [
            "fixtures/PROVENANCE.md",
            "fixtures/order/a.json",
            "fixtures/order/b.json",
            "Sources/A/B.swift",
        ]
        self.assertEqual(list(rules.provenance(paths, "`order/*.json` are made by `order/make.py`.")), [])
        found = [p.path for p in rules.provenance(paths, "`fixtures/order/a.json` is made.")]
        self.assertEqual(found, ["fixtures/order/b.json"])

    def test_top_level(self) -> None:
        self.assertEqual(list(rules.top_level(["Package.swift", ".ci/tidy", "Sources/A/B.swift"])), [])
        self.assertEqual([p.path for p in rules.top_level(["scripts/a.sh", "scripts/b.sh"])], ["scripts"])

    def test_every_module_has_a_budget(self) -> None:
        for_tests = {"HeadraceTesting", "RankProcess", "FuzzParsers", "Fuzz"}
        self.assertEqual(set(tables.IMPORTS) - for_tests, set(tables.LINE_BUDGETS))


class Wrapping(unittest.TestCase):
    def wrapped(self, text: str, path: str = LIBRARY) -> str:
        return tidy_wrap.wrapped(SourceFile(path, text))

    def test_long_comments_are_wrapped_and_flow_into_their_paragraph(self) -> None:
        words = "word " * 19
        self.assertEqual(
            self.wrapped(f"  /// {words}more end.\n  /// Next.\n  ///\n"),
            f"  /// {words.strip()}\n  /// more end. Next.\n  ///\n",
        )
        self.assertEqual(
            self.wrapped(f"// - {words}more\n// - b\n"), f"// - {words.strip()}\n//   more\n// - b\n"
        )

    def test_code_is_left_alone(self) -> None:
        code = "let a = " + "b + " * 40 + "c // long\n"
        self.assertEqual(self.wrapped(code), code)

    def test_c_comments(self) -> None:
        starred = "/*\n * " + "word " * 24 + "more\n * next. */\n"
        self.assertEqual(
            self.wrapped(starred, "Sources/CKernels/a.c"),
            "/*\n * " + ("word " * 23).strip() + "\n * word more next. */\n",
        )
        words = "word " * 23
        self.assertEqual(
            self.wrapped(f"/* {words}more */\n", "Sources/CKernels/a.c"), f"/* {words.strip()}\n   more */\n"
        )


class Command(unittest.TestCase):
    def test_reports_and_exits(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "Sources", "Mixing", "A.swift")
            source.parent.mkdir(parents=True)
            for text, code in (("let a = 1\n", 0), ("let idx = 1\n", 1)):
                source.write_text(text)
                done = subprocess.run(
                    [sys.executable, str(HERE / "tidy"), "--root", folder], capture_output=True, text=True
                )
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertIn('Sources/Mixing/A.swift:1: the word "idx" in idx', done.stdout)


if __name__ == "__main__":
    unittest.main()
