"""Wraps comment lines that are too long; code is never touched."""

from __future__ import annotations

import re

import tidy_tables as tables
from tidy_source import SourceFile

_SWIFT = re.compile(r"(?P<prefix>\s*///?)(?P<space>\s*)(?P<text>.*)")
_LIST = re.compile(r"(?:[-*]|\d+\.)\s+")
_OWN_LINE = re.compile(r"(?:[-*|#]|\d+\.|```|Source:|Departures from)")


def wrapped(file: SourceFile) -> str:
    """The file's text with every over-long comment line wrapped."""
    limit = tables.LINE_LENGTHS[file.suffix]
    lines, result = list(file.lines), []
    comment = [file.is_comment_line(number) for number in range(1, len(lines) + 1)]
    fenced, at = False, 0
    while at < len(lines):
        fenced ^= comment[at] and "```" in lines[at]
        if comment[at] and len(lines[at]) > limit and not fenced and not _is_block(lines[at]) and "://" not in lines[at]:
            line, rest, prefix = _break(lines[at], limit, file.is_swift)
            if rest and at + 1 < len(lines) and comment[at + 1] and _goes_on(prefix, lines[at + 1]):
                lines[at + 1] = prefix + rest + " " + lines[at + 1][len(prefix) :].strip()
            elif rest:
                lines.insert(at + 1, prefix + rest)
                comment.insert(at + 1, True)
            lines[at] = line
        result.append(lines[at])
        at += 1
    return "\n".join(result) + "\n"


def _break(line: str, limit: int, swift: bool) -> tuple[str, str, str]:
    """Returns what stays on the line, what moves on, and what the next line begins with."""
    match = (
        _SWIFT.match(line)
        if swift
        else re.match(r"(?P<prefix>\s*(?:/\*+|\*)?)(?P<space>\s*)(?P<text>.*)", line)
    )
    if not match:
        return line, "", ""
    head = match.group("prefix") + match.group("space")
    item = _LIST.match(match.group("text"))
    prefix = head.replace("/*", "  ") if not swift else head + "  " * bool(item)
    cut = line.rfind(" ", len(head) + (item.end() if item else 0) + 1, limit + 1)
    return (line, "", "") if cut < 0 else (line[:cut].rstrip(), line[cut:].strip(), prefix)


def _is_block(line: str) -> bool:
    """Whether the line is part of an indented block, whose lines mean something: a formula, a diagram."""
    return re.match(r"\s*(///|//|\*)\s{4,}", line) is not None


def _goes_on(prefix: str, following: str) -> bool:
    """Whether `following` is the next line of the same paragraph."""
    text = following[len(prefix) :]
    same = following.startswith(prefix) and bool(text) and not text.startswith(" ")
    return same and prefix.strip() != "" and not _OWN_LINE.match(text)
