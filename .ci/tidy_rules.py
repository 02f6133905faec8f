"""The rules of tidy. Each takes what it looks at and yields problems; nothing here reads a file or prints."""

from __future__ import annotations

import fnmatch
import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import Callable, Iterable, Iterator, NamedTuple

import tidy_tables as tables
from tidy_source import SourceFile


class Problem(NamedTuple):
    path: str
    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}; {self.remedy}"


Problems = Iterator[Problem]


# Rules for one file.


def file_length(file: SourceFile) -> Problems:
    limit = tables.SOURCE_FILE_LINES if file.is_source else tables.TEST_FILE_LINES
    if len(file.lines) > limit:
        yield Problem(
            file.path,
            limit + 1,
            f"{len(file.lines)} lines, at most {limit} are allowed",
            "split the file by topic",
        )


def function_length(file: SourceFile) -> Problems:
    for function in file.functions():
        if function.line_count > tables.FUNCTION_LINES:
            yield Problem(
                file.path,
                function.line,
                f"{function.name} has {function.line_count} lines, at most {tables.FUNCTION_LINES} are allowed",
                "keep branches and state here and move straight pieces into helpers",
            )


def line_length(file: SourceFile) -> Problems:
    for number, line in enumerate(file.lines, 1):
        text_alone = file.is_swift and line.lstrip().startswith('"')
        limit = tables.TEXT_LINE_LENGTH if text_alone else tables.LINE_LENGTHS[file.suffix]
        if len(line) > limit and "://" not in line:
            yield Problem(
                file.path, number, f"{len(line)} columns, at most {limit} are allowed", "wrap the line"
            )


_IMPORT = re.compile(
    r"^[ \t]*(?:@\w+(?:\([^)]*\))?[ \t]+)*(?:(?:public|package|internal|fileprivate|private)[ \t]+)?"
    r"import[ \t]+(?:(?:struct|class|enum|protocol|func|let|var|typealias)[ \t]+)?(\w+)",
    re.M,
)


def allowed_imports(module: str) -> set[str] | None:
    """What `module` may import; None for a module that is in no table."""
    if module in tables.IMPORTS:
        return tables.IMPORTS[module] | tables.SYSTEM_IMPORTS
    tested = module[: -len("Tests")] if module.endswith("Tests") else ""
    if tested not in tables.IMPORTS:
        return None
    allowed = {tested} | tables.IMPORTS[tested] | tables.TEST_IMPORTS | tables.SYSTEM_IMPORTS
    return allowed | tables.TEST_MODULES.get(module, set())


def imports(file: SourceFile) -> Problems:
    if not file.module or not file.is_swift:
        return
    allowed = allowed_imports(file.module)
    if allowed is None:
        yield Problem(
            file.path,
            1,
            f"the module {file.module} is not in the table of modules",
            "add it to IMPORTS and LINE_BUDGETS in .ci/tidy_tables.py",
        )
        return
    for match in _IMPORT.finditer(file.code):
        if match.group(1) not in allowed:
            yield Problem(
                file.path,
                file.line_of(match.start(1)),
                f"{file.module} may not import {match.group(1)}",
                "follow the arrows between the modules, or change them in .ci/tidy_tables.py and say why",
            )


# Calls that a library may not make: the pattern, its name, what to do.
_BANNED_IN_LIBRARIES = [
    (
        r"(?<![\w.])(?:debugPrint|print)\(",
        "print",
        "return the text, or log through the Logger that is passed in",
    ),
    (r"(?<![\w.])_?exit\(", "exit", "throw an error"),
    (r"\bSystemRandomNumberGenerator\b", "SystemRandomNumberGenerator", "take `using generator:`"),
    (r"\bDate\(", "Date()", "use a ContinuousClock for durations, or let the program pass the date in"),
    (r"\.(?:shuffled|shuffle|randomElement)\(\)", "the global generator", "pass `using: &generator`"),
    (r"\.random\((?!\s*using:)(?:[^()]|\([^()]*\))*\)", ".random(in:)", "pass `using: &generator`"),
]
# Calls that may stand anywhere in Sources where the line above proves that they cannot fail.
_BANNED_WITHOUT_PROOF = [
    (r"\bfatalError\(", "fatalError", "throw an error or use a precondition"),
    (r"\btry!", "try!", "throw the error on"),
    (r"\bas!", "as!", "use `as?` and throw"),
]


def banned_calls(file: SourceFile) -> Problems:
    if not file.is_source or not file.is_swift:
        return
    if file.module not in tables.PROGRAMS:
        for pattern, name, remedy in _BANNED_IN_LIBRARIES:
            for match in re.finditer(pattern, file.code):
                if "using:" not in match.group():
                    yield Problem(file.path, file.line_of(match.start()), f"{name} in a library", remedy)
    for pattern, name, remedy in _BANNED_WITHOUT_PROOF:
        for match in re.finditer(pattern, file.code):
            line = file.line_of(match.start())
            if not file.comment_above(line):
                yield Problem(file.path, line, f"{name} without a proof on the line above", remedy)


_REASON = re.compile(r"sendable|thread|lock|mutex|atomic|safe|sound|shared|immutable|exclusiv|own", re.I)


def unchecked_sendable(file: SourceFile) -> Problems:
    for match in re.finditer(r"@unchecked\s+Sendable|\bnonisolated\(unsafe\)", file.code):
        line = file.line_of(match.start())
        if not _REASON.search(file.comment_above(line) + file.heading_comment(line)):
            yield Problem(
                file.path,
                line,
                f"{match.group()} without its reason",
                "write on the line above why it is sound: which lock, thread or owner makes it so",
            )


_STORED_UNSAFE = re.compile(
    r"^[ \t]*(?:[\w@]+(?:\([\w]*\))?[ \t]+)*(?:let|var)[ \t]+\w+[ \t]*:[ \t]*[^={\n]*\bUnsafe\w+[^\n]*", re.M
)
_HEADER_WORD = re.compile(
    r"(?<![.\w])(struct|class|actor|enum|extension|protocol|func|init|deinit|subscript|var|let|get|set|if|else|for|while|"
    r"do|catch|switch|guard|defer|return)\b"
)
_TYPES = {"struct", "class", "actor", "enum", "extension"}


def _is_in_type(code: str, offset: int) -> bool:
    """Whether the innermost brace that is open at `offset` opens a type."""
    open_types: list[bool] = []
    header = 0
    for at, character in enumerate(code[:offset]):
        if character == "{":
            words = _HEADER_WORD.findall(code[header:at])
            open_types.append(bool(words) and words[-1] in _TYPES)
        elif character == "}" and open_types:
            open_types.pop()
        if character in "{}":
            header = at + 1
    return bool(open_types) and open_types[-1]


def unsafe_properties(file: SourceFile) -> Problems:
    if not file.is_source or not file.is_swift:
        return
    for match in _STORED_UNSAFE.finditer(file.code):
        line = file.line_of(match.start())
        if "->" in match.group() or file.comment_above(line) or file.heading_comment(line):
            continue
        if not _is_in_type(file.code, match.start()):
            continue
        yield Problem(
            file.path,
            line,
            "a stored unsafe pointer without a comment",
            "write on the line above who owns the memory and how long it lives",
        )


def todo_numbers(file: SourceFile) -> Problems:
    for match in re.finditer(r"\b(TODO|FIXME|XXX|HACK)\b(?!\(#\d+\)| #\d+)", file.comments):
        yield Problem(
            file.path,
            file.line_of(match.start()),
            f"{match.group()} without an issue number",
            "write TODO(#12): …, or do it, or delete it",
        )


_CODE_IN_COMMENT = re.compile(
    r"""^(
      (?:(?:public|package|private|internal|static)\s+)*(?:let|var)\s+\w+\s*(?::\s*[A-Z\[]\S*\s*)?=\s*\S.*
    | (?:(?:public|package|private|internal|static|mutating|final)\s+)*(?:func|struct|class|enum|extension|init)\b.*\{
    | (?:if|guard|for|while|switch|else|do)\b.*\{
    | \}\s*(?:else\b.*)?\{?
    | import\s+\w+
    | (?:try|await|return)\s+[\w.]+\(.*\)
    | (?:print|precondition|assert|fatalError|printf)\(.*\);?
    | (?!.*(?:\.\s|`))[\w.\->\[\]]+\s*(?:[-+*/|&]?=\s*[^=].*|\(.*\));
    )$""",
    re.X,
)


def commented_code(file: SourceFile) -> Problems:
    for number, line in enumerate(file.comment_lines, 1):
        match = re.match(r"\s*(?://(?!/)|/\*|\*)\s*(.*?)\s*(?:\*/)?\s*$", line)
        if match and _CODE_IN_COMMENT.match(match.group(1)):
            yield Problem(file.path, number, "commented-out code", "delete it; the history keeps it")


def policy_sources(file: SourceFile) -> Problems:
    if not file.is_source or not file.name.endswith("Policy.swift") or file.name in tables.PROTOCOL_FILES:
        return
    for heading in ("Source:", "Departures from the source:"):
        if heading not in file.comments:
            yield Problem(
                file.path,
                1,
                f"a policy without `{heading}`",
                'name the paper and equation, and each departure with its reason, or write "none"',
            )


_NAME = re.compile(r"(?<![\w$#@\\])[A-Za-z_]\w*")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def vocabulary(file: SourceFile) -> Problems:
    """Looks at Swift names only; a name with an underscore inside is C's and is left alone."""
    if not file.is_swift:
        return
    for match in _NAME.finditer(file.code):
        name = match.group().strip("_")
        if re.match(r"(num|n)_[a-z]", name):
            word, better = name.split("_")[0] + "_", "…Count"
        elif "_" in name:
            continue
        else:
            word = next((p.lower() for p in _PART.findall(name) if p.lower() in tables.WORDS), "")
            better = tables.WORDS.get(word, "")
        if word:
            yield Problem(
                file.path,
                file.line_of(match.start()),
                f'the word "{word}" in {match.group()} is not in the vocabulary',
                f'say "{better}"',
            )


FILE_RULES: list[Callable[[SourceFile], Problems]] = [
    file_length,
    function_length,
    line_length,
    imports,
    banned_calls,
    unchecked_sendable,
    unsafe_properties,
    todo_numbers,
    commented_code,
    policy_sources,
    vocabulary,
]


# Rules for the repository as a whole.


def line_budgets(files: Iterable[SourceFile]) -> Problems:
    counts: dict[str, int] = defaultdict(int)
    for file in files:
        if file.is_source and file.module:
            counts[file.module] += len(file.lines)
    for module, count in sorted(counts.items()):
        budget = tables.LINE_BUDGETS.get(module)
        if budget is None:
            yield Problem(
                f"Sources/{module}",
                1,
                "a module without a line budget",
                "add it to LINE_BUDGETS in .ci/tidy_tables.py",
            )
        elif count > budget:
            yield Problem(
                f"Sources/{module}",
                1,
                f"{count} lines, the module's budget is {budget}",
                "make it smaller, or raise the budget in .ci/tidy_tables.py and say why in the commit",
            )


def unique_names(files: Iterable[SourceFile]) -> Problems:
    seen: dict[str, str] = {}
    for file in files:
        if file.is_swift and file.module:
            if file.name in seen:
                yield Problem(file.path, 1, f"{seen[file.name]} has the same name", "rename one of the two")
            seen.setdefault(file.name, file.path)


def _needs_partner(file: SourceFile) -> bool:
    small = len(file.lines) < tables.PARTNERLESS_LINES
    exempt = "Error" in file.name or file.name.endswith("+Description.swift")
    return file.is_source and file.is_swift and bool(file.module) and not small and not exempt


def files_without_tests(files: list[SourceFile]) -> list[SourceFile]:
    """`Sources/M/**/F.swift` and `F+Topic.swift` are tested by `Tests/MTests/**/FTests.swift`.

    A test file may stand for more files of its module by a comment, `// Covers: G.swift, H.swift`.
    """
    tests = {(file.module, file.name) for file in files if file.parts[0] == "Tests"}
    covered = {
        (file.module, name)
        for file in files
        if file.parts[0] == "Tests"
        for line in re.findall(r"// Covers: (.*)", file.comments)
        for name in re.findall(r"[\w+]+\.swift", line)
    }

    def has_partner(file: SourceFile) -> bool:
        stem = PurePosixPath(file.name).stem
        names = {f"{stem}Tests.swift", f"{stem.split('+')[0]}Tests.swift"}
        module = f"{file.module}Tests"
        return (module, file.name) in covered or any((module, name) in tests for name in names)

    return [file for file in files if _needs_partner(file) and not has_partner(file)]


def test_partners(files: list[SourceFile], untested: list[str]) -> Problems:
    """`untested` is the committed list of exceptions, which may only shrink."""
    lacking = {f.path: f for f in files_without_tests(files) if f.module not in tables.PROGRAMS}
    for path in sorted(set(lacking) - set(untested)):
        stem = PurePosixPath(path).stem.split("+")[0]
        yield Problem(
            path,
            1,
            "a source file without a test file",
            f"add {stem}Tests.swift under Tests/{lacking[path].module}Tests, or `// Covers:` in the file that tests it",
        )
    for number, path in enumerate(untested, 1):
        if path and path not in lacking:
            yield Problem(
                ".ci/untested.txt", number, f"{path} is gone, small or tested by now", "delete the line"
            )


def provenance(paths: Iterable[str], text: str) -> Problems:
    """Every file in fixtures/ is named in PROVENANCE.md in backticks, by path from there; `*` may stand in it."""
    named = re.findall(r"`([^`\n]+)`", text)
    names = {name[len("fixtures/") :] if name.startswith("fixtures/") else name for name in named}
    for path in sorted(paths):
        relative = path[len("fixtures/") :]
        if path.startswith("fixtures/") and relative != "PROVENANCE.md":
            if not any(fnmatch.fnmatchcase(relative, name) for name in names):
                yield Problem(
                    path,
                    1,
                    "a fixture that fixtures/PROVENANCE.md does not name",
                    f"write there which command made `{relative}`, from what",
                )


def top_level(paths: Iterable[str]) -> Problems:
    for entry in sorted({path.split("/")[0] for path in paths}):
        if not entry.startswith(".") and entry not in tables.TOP_LEVEL:
            yield Problem(
                entry, 1, "not an entry that the top of the repository has", "move it into one that is"
            )
