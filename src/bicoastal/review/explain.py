"""`review --explain`: all that is written about a rule or a row, for a terminal."""

from __future__ import annotations

import difflib
import textwrap

from bicoastal.review.asked import ROWS
from bicoastal.review.findings import explained
from bicoastal.review.rules.index import INDEX

_WIDTH = 100


def explain(name: str) -> str:
    """The text. Raises KeyError with what to write instead for a name that is none."""
    row = next((row for row in ROWS if row.id == name.upper()), None)
    if row is not None:
        why = (row.judge.__doc__ or "").strip()
        return f"{row.id}: {row.title}\n{_wrapped(f'Delivered when: {why}')}"
    if name not in INDEX:
        near = difflib.get_close_matches(name, INDEX, 1)
        hint = f"did you mean {near[0]}?" if near else "docs/rules.md lists them; AWS's own ids are cfn-lint's, too."
        raise KeyError(f"there is no rule {name}: {hint}")
    rule = explained(name)
    parts = [f"{rule.id} ({rule.severity})\n", _wrapped(rule.title), _wrapped(rule.why), _wrapped(f"-> {rule.remedy}")]
    if rule.types:
        parts.append(_wrapped(f"Asked where there is: {', '.join(rule.types)}"))
    if rule.source:
        parts.append(f"{rule.source}\n")
    return "".join(parts)


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)) + "\n"
