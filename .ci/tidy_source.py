"""Reading Swift and C well enough for tidy: what is code, what is comment, where functions begin and end."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Iterator, NamedTuple


class Function(NamedTuple):
    name: str
    line: int
    line_count: int


def split_code_and_comments(text: str, swift: bool) -> tuple[str, str]:
    """Returns the text twice, as long as before: once with only the code, once with only the comments.

    The content of string literals is in neither, except that Swift's interpolations are code.
    """
    return _Splitter(text, swift).split()


_SWIFT_QUOTE = re.compile(r'(#*)("""|")')


class _Splitter:
    """One pass over the text. `strings` holds the literals whose interpolation the cursor is in."""

    def __init__(self, text: str, swift: bool) -> None:
        self.text, self.swift = text, swift
        self.code = ["\n" if c == "\n" else " " for c in text]
        self.comments = list(self.code)
        self.at = 0
        self.strings: list[tuple[str, str, int]] = []

    def split(self) -> tuple[str, str]:
        depth = 0
        while self.at < len(self.text):
            rest = self.text[self.at : self.at + 2]
            quote = _SWIFT_QUOTE.match(self.text, self.at) if self.swift else None
            if rest == "//":
                self._take_line_comment()
            elif rest == "/*":
                self._take_block_comment()
            elif quote:
                depth = self._open_string(quote.group(1), quote.group(2), depth)
            elif not self.swift and rest[0] in "\"'":
                self._take_c_literal(rest[0])
            else:
                depth += {"(": 1, ")": -1}.get(rest[0], 0)
                if self.strings and depth == 0 and rest[0] == ")":
                    self.at += 1
                    depth = self._skip_string(*self.strings.pop())
                else:
                    self.code[self.at] = self.text[self.at]
                    self.at += 1
        return "".join(self.code), "".join(self.comments)

    def _take_line_comment(self) -> None:
        end = self.text.find("\n", self.at)
        self._take_comment(len(self.text) if end < 0 else end)

    def _take_block_comment(self) -> None:
        depth, end = 1, self.at + 2
        while depth and end < len(self.text):
            pair = self.text[end : end + 2]
            depth += (self.swift and pair == "/*") - (pair == "*/")
            end += 2 if pair == "*/" or (self.swift and pair == "/*") else 1
        self._take_comment(end)

    def _take_comment(self, end: int) -> None:
        self.comments[self.at : end] = self.text[self.at : end]
        self.at = end

    def _take_c_literal(self, quote: str) -> None:
        self.at += 1
        while self.at < len(self.text) and self.text[self.at] not in quote + "\n":
            self.at += 2 if self.text[self.at] == "\\" else 1
        self.at += 1

    def _open_string(self, hashes: str, quote: str, depth: int) -> int:
        self.at += len(hashes) + len(quote)
        return self._skip_string(hashes, quote, depth)

    def _skip_string(self, hashes: str, quote: str, depth: int) -> int:
        """Moves behind the literal or into its next interpolation; returns the depth of parentheses there."""
        escape, close = "\\" + hashes, quote + hashes
        while self.at < len(self.text):
            if self.text.startswith(escape + "(", self.at):
                self.strings.append((hashes, quote, depth))
                self.at += len(escape) + 1
                return 1
            if self.text.startswith(escape, self.at):
                self.at += len(escape) + 1
            elif self.text.startswith(close, self.at):
                self.at += len(close)
                break
            elif quote == '"' and self.text[self.at] == "\n":
                break
            else:
                self.at += 1
        return depth


@dataclass
class SourceFile:
    """One file of the repository, read once, with its code and its comments told apart."""

    path: str
    text: str

    def __post_init__(self) -> None:
        self.suffix = PurePosixPath(self.path).suffix
        self.name = PurePosixPath(self.path).name
        self.parts = PurePosixPath(self.path).parts
        self.lines = self.text.split("\n")[: self.text.count("\n") + (not self.text.endswith("\n"))]
        code, comments = split_code_and_comments(self.text, self.is_swift)
        self.code, self.comments = code, comments
        self.code_lines, self.comment_lines = code.split("\n"), comments.split("\n")
        self._starts = [0] + [m.end() for m in re.finditer("\n", self.text)]

    @property
    def is_swift(self) -> bool:
        return self.suffix == ".swift"

    @property
    def is_source(self) -> bool:
        return self.parts[0] == "Sources"

    @property
    def module(self) -> str:
        """The module that the file belongs to, or "" outside Sources and Tests."""
        if len(self.parts) < 3 or self.parts[0] not in ("Sources", "Tests"):
            return ""
        return "HeadraceTesting" if self.parts[:2] == ("Tests", "Support") else self.parts[1]

    def line_of(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def is_comment_line(self, line: int) -> bool:
        return bool(self.comment_lines[line - 1].strip()) and not self.code_lines[line - 1].strip()

    def comment_above(self, line: int) -> str:
        """The comment that ends on the line above `line`, attributes in between left out."""
        above = line - 1
        while above >= 1 and re.match(r"\s*@\w+(\([^)]*\))?\s*$", self.code_lines[above - 1]):
            above -= 1
        last = above
        while above >= 1 and self.is_comment_line(above):
            above -= 1
        return "\n".join(self.comment_lines[above:last])

    def heading_comment(self, line: int) -> str:
        """The comment above the block of lines, without a blank line between, that `line` stands in."""
        while (
            line > 1
            and self.code_lines[line - 2].strip()
            and not self.code_lines[line - 2].rstrip().endswith("{")
        ):
            line -= 1
        return self.comment_above(line)

    def functions(self) -> Iterator[Function]:
        return swift_functions(self) if self.is_swift else c_functions(self)


_SWIFT_FUNCTION = re.compile(
    r"\bfunc\s+(?P<func>`?\w+`?|[^\s\w(]+)|(?<![.\w])(?P<init>init|subscript)\b\s*[?!]?\s*[(<]|\b(?P<deinit>deinit)\b"
    r"|\bvar\s+(?P<var>\w+)\s*:[^={}\n]*(?=\{)"
)
_NEXT_DECLARATION = re.compile(
    r"(func|var|let|init|deinit|subscript|typealias|associatedtype|struct|enum|class|actor|extension|case|static|public|"
    r"package|private|internal|mutating)\b"
)
_PAIRS = {"(": ")", "[": "]", "{": "}"}


def closing(code: str, start: int) -> int:
    """The offset of the bracket that closes the one at `start`, or of the end."""
    depth = 0
    for at in range(start, len(code)):
        if code[at] in "([{":
            depth += 1
        elif code[at] in ")]}":
            depth -= 1
            if depth == 0:
                return at
    return len(code) - 1


def _body(code: str, at: int) -> int | None:
    """The offset of the brace that opens the body of the function declared before `at`; None without a body."""
    while at < len(code):
        character = code[at]
        if character == "{":
            return at
        if character == "}":
            return None
        if character in "([":
            at = closing(code, at)
        elif (
            character.isalpha()
            and not code[at - 1].isalnum()
            and code[at - 1] not in "._"
            and _NEXT_DECLARATION.match(code, at)
        ):
            return None
        at += 1
    return None


def swift_functions(file: SourceFile) -> Iterator[Function]:
    for match in _SWIFT_FUNCTION.finditer(file.code):
        end = match.end() - 1 if match.group("init") else match.end()
        body = _body(file.code, end)
        if body is not None:
            yield _function(file, match.group(match.lastgroup or 0), match.start(), body)


def c_functions(file: SourceFile) -> Iterator[Function]:
    code = re.sub(
        r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), file.code, flags=re.M
    )
    at, header = 0, 0
    while at < len(code):
        if code[at] in ";}":
            header = at + 1
        elif code[at] == "{":
            text = code[header:at]
            name = re.search(r"(\w+)\s*\(", text)
            if name and "=" not in text:
                start = header + len(text) - len(text.lstrip())
                yield _function(file, name.group(1), start, at)
                at = closing(code, at)
            elif "extern" not in text:
                at = closing(code, at)
            header = at + 1
        at += 1


def _function(file: SourceFile, name: str, start: int, body: int) -> Function:
    first, last = file.line_of(start), file.line_of(closing(file.code, body))
    return Function(name, first, last - first + 1)


def read(root: Path, paths: list[str]) -> list[SourceFile]:
    """The Swift and C files among `paths`."""
    suffixes = (".swift", ".c", ".h")
    return [SourceFile(p, (root / p).read_text(encoding="utf-8")) for p in paths if p.endswith(suffixes)]
