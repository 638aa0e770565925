"""AWS's cloudformation-validate as the oracle of our resolver: its `TemplateModel` says what each property comes to.

It resolves for us-east-1, by the parameters' defaults, and never decides a condition: an `Fn::If` keeps both branches,
a parameter with AllowedValues stands for all of them. So what is compared is said here, value by value:

    it knows a value            ours is the same one, written the same as text; or the account's number, where ours is
                                a hole for it; or a text whose known parts are found in it, in order
    it knows a resource         ours refers to the same resource, by the same attribute
    it has a condition's two    ours is the branch of the side that we decided for; both, where we could not decide
    it has allowed values       ours is one of them
    it does not know            nothing: what we then know is not judged by it

What it knows and we don't is counted by our reason: it may only be for reasons that a caller lists.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from cloudformation_validate import TemplateContent, TemplateModel

from bicoastal.cfn.reader import parse_template
from bicoastal.cfn.resolve import Evaluator
from bicoastal.cfn.values import NO_VALUE, Encoded, Reference, Text, Unknown, Value

REGION = "us-east-1"
ACCOUNT_NUMBER = "123456789012"
STACK_NAME = "teststack"
"""What cloudformation-validate takes for granted."""


@dataclass
class Comparison:
    """What came of holding both against each other."""

    agreed: int = 0
    """Values that both know, or references, and that are the same."""
    not_theirs: int = 0
    """Values of which the oracle says nothing."""
    not_ours: Counter[str] = field(default_factory=Counter)
    """Our reasons for not knowing what the oracle knows."""
    disagreed: list[str] = field(default_factory=list)


def compare(text: str, file: str, into: Comparison) -> None:
    """Hold every property of a template's resources against the oracle's."""
    model = TemplateModel(TemplateContent(text.encode(), file))
    template = parse_template(text, file)
    ours = Evaluator(template, stack="here", stack_name=STACK_NAME, region=REGION)
    for name, resource in model.resources().items():
        body = ours.resources.get(name)
        if body is None:
            into.disagreed.append(f"{file} {name}: a resource that we don't have")
            continue
        properties = ours.value(body.get("Properties") or {})
        for key, value in resource.properties.items():
            _Judge(ours, into).hold(properties.get(key, NO_VALUE), value, f"{file} {name}.{key}")


@dataclass
class _Judge:
    ours: Evaluator
    into: Comparison

    def hold(self, our: Value, their: Any, path: str) -> None:
        """Compare one value, and what is in it."""
        their = self._settled(their)
        if their.is_dynamic() or their.is_typed_dynamic():
            self.into.not_theirs += 1
        elif isinstance(our, Unknown):
            self._unknown(our, their, path)
        elif their.is_conditional():
            if not any(self._agrees(our, branch, path) for branch in (their.if_true, their.if_false)):
                self._no(our, their, path)
        elif their.is_enum_value():
            if any(self._agrees(our, one, path) for one in their.variants):
                self.into.agreed += 1
            else:
                self._no(our, their, path)
        elif their.is_reference():
            self._reference(our, their, path)
        elif their.is_list_value():
            self._list(our, their.items, path)
        elif their.is_map():
            self._map(our, {one.key: one.value for one in their.entries}, path)
        else:
            self._json(our, their.value, path)

    def _settled(self, their: Any) -> Any:
        """A condition's branch, where we have decided the condition."""
        while their.is_conditional():
            decided = self.ours.condition(their.condition)
            if not isinstance(decided, bool):
                return their
            their = their.if_true if decided else their.if_false
        return their

    def _unknown(self, our: Unknown, their: Any, path: str) -> None:
        if their.is_conditional():
            for option, branch in zip(our.options, (their.if_true, their.if_false), strict=False):
                self.hold(option, branch, path)
        else:
            self.into.not_ours[our.reason] += 1

    def _agrees(self, our: Value, their: Any, path: str) -> bool:
        trial = Comparison()
        _Judge(self.ours, trial).hold(our, their, path)
        return not trial.disagreed

    def _no(self, our: Value, their: Any, path: str) -> None:
        self.into.disagreed.append(f"{path}: ours {our!r}, theirs {_spelled(their)!r}")

    def _reference(self, our: Value, their: Any, path: str) -> None:
        attribute = their.kind.attr if their.kind.is_get_att() else ""
        if our == Reference("here", their.target, attribute):
            self.into.agreed += 1
        else:
            self._no(our, their, path)

    def _list(self, our: Value, their: Iterable[Any], path: str) -> None:
        settled = [self._settled(one) for one in their]
        there = [one for one in settled if not _is_nothing(one)]
        if not isinstance(our, list) or len(our) != len(there):
            self.into.disagreed.append(f"{path}: ours {our!r}, theirs {[_spelled(one) for one in there]!r}")
            return
        for index, (one, other) in enumerate(zip(our, there, strict=True)):
            self.hold(one, other, f"{path}.{index}")

    def _map(self, our: Value, their: dict[str, Any], path: str) -> None:
        there = {key: value for key, value in their.items() if not _is_nothing(self._settled(value))}
        if not isinstance(our, dict) or set(our) != set(there):
            self.into.disagreed.append(f"{path}: ours {our!r}, theirs {sorted(there)}")
            return
        for key, value in there.items():
            self.hold(our[key], value, f"{path}.{key}")

    def _json(self, our: Value, their: Any, path: str) -> None:
        """A literal of theirs, whole."""
        if isinstance(our, Unknown):
            self.into.not_ours[our.reason] += 1
            return
        if their.is_object() and isinstance(our, dict):
            entries = {key: value for key, value in their.entries.items() if not value.is_null()}
            if set(entries) != set(our):
                self.into.disagreed.append(f"{path}: ours has {sorted(our)}, theirs {sorted(entries)}")
            for key in set(entries) & set(our):
                self._json(our[key], entries[key], f"{path}.{key}")
            return
        if their.is_array() and isinstance(our, list):
            items = [one for one in their.items if not one.is_null()]
            if len(items) != len(our):
                self.into.disagreed.append(f"{path}: ours has {len(our)} items, theirs {len(items)}")
            for index, (one, other) in enumerate(zip(our, items, strict=False)):
                self._json(one, other, f"{path}.{index}")
            return
        literal = None if their.is_null() else getattr(their, "value", None)
        same = our is NO_VALUE if literal is None else _matches(our, literal)
        if same:
            self.into.agreed += 1
        else:
            self.into.disagreed.append(f"{path}: ours {our!r}, theirs {literal!r}")


def _matches(our: Value, literal: Any) -> bool:
    if isinstance(our, Encoded):
        return not isinstance(our.text, str) or str(our) == literal
    if isinstance(our, Reference | Text):
        pattern = "".join(_pattern(part) for part in (our.parts if isinstance(our, Text) else (our,)))
        return re.fullmatch(pattern, _text(literal), re.DOTALL) is not None
    return _text(our) == _text(literal)


def _pattern(part: str | Reference | Unknown) -> str:
    if isinstance(part, str):
        return re.escape(part)
    if isinstance(part, Reference):
        return ACCOUNT_NUMBER if part.resource == "AWS::AccountId" else ".+" if part.resource[:5] == "AWS::" else "(?!)"
    return ".*"


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_nothing(their: Any) -> bool:
    return bool(their.is_concrete() and their.value.is_null())


def _spelled(their: Any) -> Any:
    if their.is_concrete():
        value = their.value
        return getattr(value, "value", None) or getattr(value, "entries", None) or getattr(value, "items", value)
    return str(their)
