"""Explores conditions that cannot be decided, both ways: what holds in every case is certain, the rest says when.

Conditions that compare one parameter with several texts are taken together, and a parameter of one name means the same
in every stack: `Stage` is not `production` here and `test` there. The number of cases is bounded; beyond it, cases
differ from the first in one choice at a time.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bicoastal.cfn.deployment import Deployment, Stack
from bicoastal.cfn.values import Unknown
from bicoastal.core.findings import Finding
from bicoastal.review.verdict import RowVerdict, Verdict

_MOST = ((200, 8), (1000, 4), (5000, 2))
"""Up to so many resources, so many cases: each is a review of its own."""
Assumed = dict[tuple[str, str], bool]


@dataclass(frozen=True)
class World:
    """One case: conditions that hold or don't, and what that means in words."""

    words: str
    conditions: Mapping[tuple[str, str], bool]
    parts: frozenset[str] = frozenset()
    """The words, choice by choice."""


@dataclass(frozen=True)
class _Alternative:
    words: str
    conditions: Assumed


def worlds(deployment: Deployment) -> list[World]:
    """The cases worth looking at; none where every condition is decided, or where there is too much to look at."""
    choices = list(_choices(deployment))
    size = len(deployment.resources)
    most = next((count for limit, count in _MOST if size <= limit), 0)
    if not choices or not most:
        return []
    cases: Iterable[tuple[_Alternative, ...]] = itertools.product(*choices)
    if _product(len(choice) for choice in choices) > most:
        first = tuple(choice[0] for choice in choices)
        single = (
            (*first[:index], other, *first[index + 1 :]) for index, choice in enumerate(choices) for other in choice[1:]
        )
        cases = itertools.islice(itertools.chain([first], single), most)
    return [_world(case) for case in cases]


def _world(case: Sequence[_Alternative]) -> World:
    merged: Assumed = {}
    for alternative in case:
        merged.update(alternative.conditions)
    words = [alternative.words for alternative in case]
    return World(" and ".join(words), merged, frozenset(words))


def _product(numbers: Iterable[int]) -> int:
    result = 1
    for number in numbers:
        result *= number
    return result


def _choices(deployment: Deployment) -> Iterator[list[_Alternative]]:
    """What can be chosen: for each parameter that conditions ask, or each other undecided condition, its cases."""
    compared: dict[str, dict[str, list[tuple[str, str, bool]]]] = {}
    allowed: dict[str, list[str]] = {}
    others: dict[str, list[tuple[str, str]]] = {}
    for stack in deployment.stacks.values():
        undecided = {
            name for name in stack.evaluator.conditions if isinstance(stack.evaluator.condition(name), Unknown)
        }
        for name in (name for name in stack.evaluator.conditions if name in undecided):
            body = stack.evaluator.conditions[name]
            if _leans_on(body, undecided):
                continue
            asked = _asked(stack, body)
            if asked is None:
                others.setdefault(f"{name} {json.dumps(body, sort_keys=True, default=str)}", []).append(
                    (stack.id, name)
                )
            else:
                parameter, text, equal = asked
                compared.setdefault(parameter, {}).setdefault(text, []).append((stack.id, name, equal))
                allowed.setdefault(parameter, _allowed(stack, parameter))
    for parameter, texts in compared.items():
        possible = [text for text in texts if not allowed[parameter] or text in allowed[parameter]]
        if not allowed[parameter] or set(allowed[parameter]) - set(texts):
            possible.append("")
        yield [_value(parameter, text, texts) for text in possible] or [_value(parameter, "", texts)]
    for key, places in others.items():
        name = key.partition(" ")[0]
        yield [
            _Alternative(f"{name} {'holds' if held else 'does not hold'}", dict.fromkeys(places, held))
            for held in (True, False)
        ]


def _value(parameter: str, text: str, texts: Mapping[str, list[tuple[str, str, bool]]]) -> _Alternative:
    conditions = {
        (stack, name): (other == text) == equal for other, places in texts.items() for stack, name, equal in places
    }
    words = f"{parameter} is {text!r}" if text else f"{parameter} is something else"
    return _Alternative(words.replace("'", ""), conditions)


def _asked(stack: Stack, body: Any) -> tuple[str, str, bool] | None:
    """`Fn::Equals` of a parameter and a text, or the opposite of that."""
    match body:
        case {"Fn::Not": [inner]}:
            found = _asked(stack, inner)
            return (found[0], found[1], not found[2]) if found else None
        case {"Fn::Equals": [{"Ref": str() as name}, str() as text]} | {
            "Fn::Equals": [str() as text, {"Ref": str() as name}]
        }:
            return (name, text, True) if text and name in stack.template.section("Parameters") else None
    return None


def _allowed(stack: Stack, parameter: str) -> list[str]:
    declared = stack.template.section("Parameters").get(parameter)
    values = declared.get("AllowedValues") if isinstance(declared, Mapping) else None
    return [str(value) for value in values] if isinstance(values, list) else []


def _leans_on(body: Any, names: set[str]) -> bool:
    if isinstance(body, Mapping):
        return any(
            (key == "Condition" and item in names if isinstance(item, str) else _leans_on(item, names))
            for key, item in body.items()
        )
    return isinstance(body, list) and any(_leans_on(item, names) for item in body)


# Bringing the cases together again.


def merged_rows(cases: Sequence[tuple[World, Sequence[RowVerdict]]]) -> tuple[RowVerdict, ...]:
    """One verdict for each row: the common one, or what it depends on."""
    return tuple(
        _row([(world, row) for (world, _), row in zip(cases, column, strict=True)])
        for column in zip(*(rows for _, rows in cases), strict=True)
    )


def _row(cases: Sequence[tuple[World, RowVerdict]]) -> RowVerdict:
    first = cases[0][1]
    everywhere = [text for text in first.missing if all(text in row.missing for _, row in cases)]
    texts = dict.fromkeys(text for _, row in cases for text in row.missing if text not in everywhere)
    everyone = [world for world, _ in cases]
    some = [f"Where {_when([w for w, row in cases if text in row.missing], everyone)}: {text}" for text in texts]
    doubts = tuple(dict.fromkeys(text for _, row in cases for text in row.doubts))
    evidence = tuple(dict.fromkeys(item for _, row in cases for item in row.evidence))
    verdicts = {row.verdict for _, row in cases}
    if len(verdicts) == 1:
        return replace(first, evidence=evidence, missing=tuple(dict.fromkeys([*everywhere, *some])), doubts=doubts)
    if Verdict.DELIVERED in verdicts:
        # It can be had: by the right parameters. Whether it will be is not in the templates.
        return replace(
            first, verdict=Verdict.UNKNOWN, evidence=evidence, missing=(), doubts=tuple(dict.fromkeys([*some, *doubts]))
        )
    worst = Verdict.PARTLY if evidence else Verdict.MISSING
    return replace(
        first, verdict=worst, evidence=evidence, missing=tuple(dict.fromkeys([*everywhere, *some])), doubts=doubts
    )


def _when(held: Sequence[World], everyone: Sequence[World]) -> str:
    """The shortest words for some of the cases: what they have in common and no other case has."""
    common = frozenset.intersection(*(world.parts for world in held))
    for size in range(1, len(common) + 1):
        for parts in itertools.combinations(sorted(common), size):
            if all(world in held for world in everyone if world.parts.issuperset(parts)):
                return " and ".join(parts)
    return held[0].words if len(held) == 1 else f"{held[0].words}, and in {len(held) - 1} more of {len(everyone)} cases"


def merged_findings(cases: Sequence[tuple[World, Sequence[Finding]]]) -> tuple[Finding, ...]:
    """Every finding once; those of some cases only say of which."""
    seen: dict[Finding, list[World]] = {}
    everyone = [world for world, _ in cases]
    for world, findings in cases:
        for finding in findings:
            seen.setdefault(finding, []).append(world)
    found = []
    for finding, held in seen.items():
        if len(held) < len(cases):
            detail = f"{finding.detail} Only where {_when(held, everyone)}.".strip()
            found.append(replace(finding, detail=detail))
        else:
            found.append(finding)
    return tuple(found)
