"""Nonsense anywhere in a template ends in verdicts, never in a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bicoastal.review.asked import judge_all
from tests.support.reviewed import sample

Path = tuple[Any, ...]
NONSENSE: list[Any] = [
    None,
    [],
    {},
    -1.5,
    "",
    "${",
    True,
    10**30,
    "9" * 50,
    [[]],
    {"a": {"b": [None]}},
    {"Ref": "Nothing"},
    {"Ref": 3},
    {"Ref": "AWS::NoValue"},
    {"Fn::If": ["Nothing", 1, 2]},
    {"Fn::GetAtt": ["a"]},
    {"Fn::Split": [":", {"Ref": "AWS::StackId"}]},
]


def _paths(node: Any, path: Path = ()) -> Iterator[Path]:
    if len(path) > 1:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, item in items:
        yield from _paths(item, (*path, key))


@cache
def places() -> list[tuple[str, Path]]:
    """Every place of every template of the sample."""
    return [(file, path) for file, template in sample().templates.items() for path in _paths(dict(template.body))]


@given(st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(NONSENSE)), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_nonsense_never_raises(faults: list[tuple[int, Any]]) -> None:
    edits: dict[str, Any] = {}
    for number, value in faults:
        file, path = places()[number % len(places())]
        try:
            edits[file] = edits.get(file, sample().templates[file]).edited(path, value)
        except (LookupError, TypeError, ValueError):
            continue  # an earlier fault took the place away
    rows = judge_all(sample().deployment(edits=edits), sample().demand)
    assert len(rows) == 14
    assert all(row.missing or row.doubts or row.evidence for row in rows)
