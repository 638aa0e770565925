"""Nonsense anywhere in a template makes no rule stumble, and every finding still has its place."""

from __future__ import annotations

import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.faults.base import Built, sound
from bicoastal.review.findings import FAILED
from tests.support.findings import of_stacks

NONSENSE: tuple[Any, ...] = (
    None,
    [],
    {},
    -1.5,
    "",
    "${",
    True,
    "9" * 50,
    [[]],
    {"a": {"b": [None]}},
    {"Ref": "Nothing"},
    {"Ref": "AWS::NoValue"},
    {"Fn::If": ["Nothing", 1, 2]},
    {"Fn::GetAtt": ["a"]},
    {"Fn::Split": [":", {"Ref": "AWS::StackId"}]},
    [{"Fn::Select": [9, []]}, 3, {"Ref": 3}],
)


def _places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, item in items:
        yield from _places(item, (*path, key))


def _spoiled(stacks: dict[str, Built], seed: int) -> dict[str, Built]:
    """Some values of each stack replaced."""
    chance = random.Random(seed)
    found = {}
    for name, built in stacks.items():
        resources: Any = dict(built.resources)
        for path in chance.sample([place for place in _places(resources) if len(place) > 2], 12):
            node = resources
            try:
                for step in path[:-1]:
                    node = node[step]
                node[path[-1]] = deepcopy(chance.choice(NONSENSE))
            except (LookupError, TypeError):
                continue  # an earlier one took the place away
        found[name] = replace(built, resources=resources)
    return found


@pytest.mark.parametrize("seed", range(30))
def test_no_rule_stumbles_over_nonsense(tmp_path: Path, seed: int) -> None:
    shape = "parameters"  # JSON: short forms of nonsense cannot be written
    found = of_stacks(_spoiled(sound(), seed), tmp_path / shape, shape)
    assert [finding.title for finding in found if finding.rule == FAILED] == []
    assert all(finding.location.file and finding.region for finding in found)
