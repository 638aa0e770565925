"""What a repository has decided about its reviews: `review:` in bicoastal.yaml, or `[tool.bicoastal.review]`.

The command line wins over both; bicoastal.yaml wins over pyproject.toml.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bicoastal.core.documents import read
from bicoastal.core.errors import InputError
from bicoastal.core.findings import Finding, Location, Severity

FAIL_ON = ("row", "error", "warning", "info", "nothing")
"""What makes a review say no: a row that is not delivered, or a finding of at least this severity."""
_KEYS = ("fail_on", "baseline", "schema_pass", "demand")


@dataclass(frozen=True)
class Settings:
    """Decisions; None where none was made."""

    fail_on: tuple[str, ...] | None = None
    baseline: Path | None = None
    schema_pass: bool | None = None
    demand: str | None = None
    """A profile, or a file of demands."""


def settings_in(folder: Path, spec: Path | None) -> Settings:
    """Those of a folder. InputError for what cannot be used."""
    if spec is not None and spec.is_file():
        body = read(spec).value
        own = body.get("review") if isinstance(body, Mapping) else None
        if own is not None:
            return _settings(own, spec)
    project = folder / "pyproject.toml"
    if project.is_file():
        try:
            text = project.read_text(encoding="utf-8")
            if "bicoastal" not in text:
                return Settings()
            import tomllib  # noqa: PLC0415 - most repositories decide nothing, and a review starts anew each time

            data = tomllib.loads(text)
        except (OSError, ValueError) as error:
            raise _wrong(project, f"this cannot be read: {error}", "Correct it.") from error
        own = data.get("tool", {}).get("bicoastal", {}).get("review")
        if own is not None:
            return _settings(own, project)
    return Settings()


def _settings(own: Any, file: Path) -> Settings:
    if not isinstance(own, Mapping):
        raise _wrong(file, "review is not a mapping", f"It takes {', '.join(_KEYS)}.")
    for key in own:
        if str(key).replace("-", "_") not in _KEYS:
            raise _wrong(file, f"review has no setting {key}", f"It takes {', '.join(_KEYS)}.")
    values = {str(key).replace("-", "_"): value for key, value in own.items()}
    fail_on = values.get("fail_on")
    names = [fail_on] if isinstance(fail_on, str) else fail_on
    if names is not None and not (isinstance(names, list) and set(names) <= set(FAIL_ON)):
        raise _wrong(file, f"review.fail_on is {fail_on!r}", f"It takes {', '.join(FAIL_ON)}.")
    baseline, schema, demand = values.get("baseline"), values.get("schema_pass"), values.get("demand")
    if schema is not None and not isinstance(schema, bool):
        raise _wrong(file, f"review.schema_pass is {schema!r}", "It takes true or false.")
    return Settings(
        tuple(names) if names is not None else None,
        file.parent / str(baseline) if baseline is not None else None,
        schema,
        str(demand) if demand is not None else None,
    )


def _wrong(file: Path, title: str, remedy: str) -> InputError:
    return InputError([Finding("settings", Severity.ERROR, title, Location(str(file)), remedy=remedy)])
