"""Reads `bicoastal.yaml`: text to values (`core.documents`), values to the model, the model through `spec.checks`.

Everything that is wrong is said at once, each with file, line, column, field and what to write. It reads the file and
looks whether the application's folder is there; it calls nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from bicoastal.core import documents
from bicoastal.core.documents import Document
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Location, Position, Severity
from bicoastal.spec.checks import RULE, Problem, problems
from bicoastal.spec.messages import Step, in_words, nearest_key
from bicoastal.spec.model import Spec

MAX_BYTES: Final = 1024 * 1024
MAX_FINDINGS: Final = 50
"""More than a reader takes in; the last one says how many were left out."""


def load(path: str | Path, *, check_folder: bool = True) -> Spec:
    """Read a spec. InputError holds every problem.

    `check_folder`: the application's folder must be there, relative to the spec; who ships nothing may skip it.
    """
    file = Path(path)
    if _is_missing(file):
        remedy = "`bicoastal init` writes a first one; or name your file."
        raise InputError([Finding(RULE, Severity.ERROR, "no such file", Location(str(path)), remedy=remedy)])
    document = documents.read(path, max_bytes=MAX_BYTES)
    return _spec(document, file.parent if check_folder else None)


def _is_missing(file: Path) -> bool:
    try:
        return not file.exists()
    except OSError:
        return False  # the reader says what it is


def loads(text: str | bytes, file: str = "bicoastal.yaml") -> Spec:
    """The same from text; the application's folder is not looked for."""
    return _spec(documents.parse(text, file, max_bytes=MAX_BYTES), None)


def _spec(document: Document, folder: Path | None) -> Spec:
    findings = list(document.findings)
    if not isinstance(document.value, dict):
        if not findings:
            remedy = "Begin with `name: orders`; `bicoastal init` writes a first one."
            findings.append(_finding(document, (), "this is not a spec: it holds no keys", remedy))
        raise InputError(findings)
    spec = None
    try:
        spec = _validated(document, document.value)
        found = problems(spec, folder)
    except ValidationError as error:
        findings += _translated(document, error)
        found = _problems_elsewhere(document, error, folder)
    findings += [_located(document, problem) for problem in found]
    if findings or spec is None:
        findings.sort(key=lambda finding: finding.location.position or _TOP)
        raise InputError(_shortened(findings))
    return spec


def _validated(document: Document, value: dict[str, Any]) -> Spec:
    """The model. An unquoted number or word where text belongs is taken as it was written: `0042`, `17.10`, `on`."""
    try:
        return Spec.model_validate(value)
    except ValidationError as error:
        given = value
        for problem in error.errors(include_url=False, include_context=False):
            path = tuple(problem["loc"])
            written = document.written(path) if problem["type"] == "string_type" else ""
            if written and isinstance(problem["input"], bool | int | float):
                value = _replaced(value, path, written)
        if value is given:
            raise
        return Spec.model_validate(value)


def _problems_elsewhere(document: Document, error: ValidationError, folder: Path | None) -> list[Problem]:
    """Problems across fields, for a spec with wrong fields: in the groups where the fields themselves are right."""
    value = document.value
    wrong = set()
    if error.error_count() > MAX_FINDINGS:
        return []
    for problem in error.errors(include_url=False):
        if problem["type"] == "extra_forbidden":
            value = _replaced(value, problem["loc"], _REMOVED)
        elif problem["type"] != "string_type" or not document.written(problem["loc"]):
            wrong.add(problem["loc"][0])
    if "regions" in wrong:
        wrong |= {"residency", "instances", "database"}
    rest = {key: item for key, item in value.items() if key not in wrong}
    try:
        spec = _validated(document, {**_STAND_IN, **rest})
    except ValidationError:
        return []
    return [problem for problem in problems(spec, None if "app" in wrong else folder) if problem.path[0] in rest]


_STAND_IN: Final = {"name": "orders", "cost_center": "0", "domain": "orders.example.com", "app": {"command": "run"}}


def _replaced(value: Any, path: Sequence[Step], new: object) -> Any:
    """A copy with another value at `path`; what an alias shares is not touched elsewhere."""
    if not path:
        return new
    step, rest = path[0], path[1:]
    if new is _REMOVED and not rest:
        return {key: item for key, item in value.items() if key != step} if isinstance(value, dict) else value
    if isinstance(value, dict) and step in value:
        return {**value, step: _replaced(value[step], rest, new)}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [*value[:step], _replaced(value[step], rest, new), *value[step + 1 :]]
    return value


def _translated(document: Document, error: ValidationError) -> Iterator[Finding]:
    details = error.errors(include_url=False)
    meant = set()
    for problem in details[: MAX_FINDINGS + 1]:
        if problem["type"] == "extra_forbidden" and (near := nearest_key(problem["loc"])):
            meant.add((*problem["loc"][:-1], near))
    for problem in details[: MAX_FINDINGS + 1]:
        path = tuple(step for step in problem["loc"] if step != "[key]")
        if problem["type"] == "missing" and path in meant:
            continue  # said once, at the key that was meant to be this one
        if path[:1] == ("domain",) and isinstance(document.value.get("domain"), str):
            path = path[:1]
        title, remedy = in_words(problem, path)
        at_value = problem["type"] not in ("extra_forbidden", "missing") and problem["loc"][-1] != "[key]"
        yield _finding(document, path, title, remedy, value=at_value)


def _located(document: Document, problem: Problem) -> Finding:
    return _finding(document, problem.path, problem.title, problem.remedy, detail=problem.detail)


def _finding(
    document: Document, path: Sequence[Step], title: str, remedy: str, *, detail: str = "", value: bool = False
) -> Finding:
    return Finding(RULE, Severity.ERROR, title, document.location(path, value=value), detail=detail, remedy=remedy)


def _shortened(findings: list[Finding]) -> list[Finding]:
    if len(findings) <= MAX_FINDINGS:
        return findings
    rest = f"there are more problems than these {MAX_FINDINGS}"
    return [*findings[:MAX_FINDINGS], Finding(RULE, Severity.ERROR, rest, Location(findings[0].location.file))]


_TOP: Final = Position(0, 0)
_REMOVED: Final = object()
