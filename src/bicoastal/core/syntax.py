"""Says in plain words what libyaml says in a parser's: what is wrong on that line, and what to write.

It changes nothing and decides nothing: the text has already been refused.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.reader import ReaderError

from bicoastal.core.findings import Finding, Location, Position, Severity

RULE = "document"
"""The rule id of every finding about a file as text."""


def syntax_finding(file: str, text: str, error: yaml.MarkedYAMLError) -> Finding:
    """What libyaml's scanner or parser stopped at."""
    mark = error.problem_mark or error.context_mark
    lines = text.split("\n")
    line = lines[mark.line].rstrip("\r") if mark is not None and mark.line < len(lines) else ""
    problem = error.problem or "this cannot be read as YAML"
    if error.context_mark is not None and "end of stream" in problem:
        mark = error.context_mark
    title, remedy = _in_words(problem, error.context or "", line, line[mark.column : mark.column + 1] if mark else "")
    position = Position(mark.line + 1, mark.column + 1) if mark is not None else None
    return Finding(RULE, Severity.ERROR, title, Location(file, position), remedy=remedy)


def _in_words(problem: str, context: str, line: str, character: str) -> tuple[str, str]:
    if character == "\t" or "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab indents this line", "Use spaces: YAML takes no tabs for indentation."
    if "cannot start any token" in problem:
        return f"text cannot begin with {character!r}", f'Put it in quotes: "{character}...".'
    if "end of stream" in problem and "quoted" in context:
        return "this quote is never closed", "Close it."
    for pattern, title, remedy in _WORDS:
        if re.search(pattern, problem):
            return title, remedy
    return " ".join(part for part in (context, problem) if part), "Correct this line."


_WORDS = (
    (
        "mapping values are not allowed",
        "a ':' where none can stand",
        "Put the value in quotes if the ':' belongs to it, or check the indentation.",
    ),
    ("could not find expected ':'", "a key without ':' (the line above or this one)", "Write `key: value`."),
    (
        "expected ',' or '[]}]'|expected node content",
        "a list or mapping in brackets is not closed, or lacks a ','",
        "Close the bracket or write the ','.",
    ),
    (
        "did not find expected key",
        "this line does not fit the lines above it",
        "Check the indentation: the keys of one mapping start in the same column.",
    ),
    (
        "did not find expected '-' indicator",
        "this line does not fit the list above it",
        "Begin it with `- `, or check the indentation.",
    ),
    ("block sequence entries are not allowed", "a list cannot begin here", "Begin it on its own line, below its key."),
)
"""What libyaml says (a regular expression), what it means, and what to write."""


def character_finding(file: str, text: str, error: ReaderError | UnicodeEncodeError) -> Finding:
    """A character that YAML does not take: a control character, or half of a surrogate pair."""
    bad: Any = re.search("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", text)
    if bad is None:
        return Finding(RULE, Severity.ERROR, f"this cannot be read as YAML: {error.reason}", Location(file))
    before = text[: bad.start()]
    position = Position(before.count("\n") + 1, bad.start() - before.rfind("\n"))
    title = f"the control character U+{ord(bad.group()):04X} cannot stand in YAML"
    return Finding(
        RULE, Severity.ERROR, title, Location(file, position), remedy="Remove it; an editor may not show it."
    )
