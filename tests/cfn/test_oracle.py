"""What we resolve is what AWS's own validator resolves: in our templates, in others' shapes, and in generated ones.

tests/support/oracle.py says what exactly is compared.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.faults.base import sound
from bench.faults.shapes import SHAPES, write
from tests.support.oracle import Comparison, compare

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "examples" / "orders" / "deployment" / "templates").glob("*.yaml"))


def test_in_our_own_templates() -> None:
    found = Comparison()
    for path in TEMPLATES:
        compare(path.read_text(), path.name, found)
    assert found.disagreed == []
    assert found.agreed > 4000
    assert dict(found.not_ours) == {}


@pytest.mark.parametrize("shape", SHAPES)
def test_in_templates_of_every_shape(tmp_path: Path, shape: str) -> None:
    write(sound(), tmp_path / shape, shape)
    found = Comparison()
    for path in sorted((tmp_path / shape / "templates").iterdir()):
        compare(path.read_text(), path.name, found)
    assert found.disagreed == []
    assert found.agreed > 300
    assert dict(found.not_ours) == {}


HEAD: dict[str, Any] = {
    "Parameters": {
        "Name": {"Type": "String", "Default": "orders"},
        "Number": {"Type": "Number", "Default": 3},
        "List": {"Type": "CommaDelimitedList", "Default": "a,b,c"},
        "Block": {"Type": "String", "Default": "10.20.0.0/16"},
        "Stage": {"Type": "String", "Default": "test", "AllowedValues": ["test", "live"]},
        "Open": {"Type": "String"},
    },
    "Mappings": {
        "Sizes": {"us-east-1": {"small": "s-east", "large": "l-east"}, "us-west-2": {"small": "s-west"}},
        "Stages": {"test": {"small": "t", "large": "T"}, "orders": {"small": "o", "large": "O"}},
    },
    "Conditions": {
        "Yes": {"Fn::Equals": [{"Ref": "Name"}, "orders"]},
        "No": {"Fn::Not": [{"Condition": "Yes"}]},
        "East": {"Fn::Equals": [{"Ref": "AWS::Region"}, "us-east-1"]},
        "All": {"Fn::And": [{"Condition": "Yes"}, {"Condition": "East"}]},
        "Any": {"Fn::Or": [{"Condition": "No"}, {"Condition": "Undecided"}]},
        "Undecided": {"Fn::Equals": [{"Ref": "Open"}, "x"]},
    },
}


class Writer:
    """Writes expressions at random, each of which CloudFormation takes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def text(self, depth: int = 3) -> Any:
        """An expression for a text."""
        leaves: list[Callable[[], Any]] = [
            lambda: self.chance.choice(["plain", "", "two words", "a-b", "${", "é"]),
            lambda: {"Ref": self.chance.choice(["Name", "Number", "Block", "Stage", "Open", "AWS::Region", "Other"])},
            lambda: {"Ref": self.chance.choice(["AWS::AccountId", "AWS::Partition", "AWS::URLSuffix"])},
            lambda: {"Fn::GetAtt": ["Other", "TopicName"]},
            lambda: {"Fn::ImportValue": "somewhere"},
            lambda: {"Fn::FindInMap": ["Sizes", {"Ref": "AWS::Region"}, self.chance.choice(["small", "large"])]},
            lambda: {"Fn::FindInMap": ["Stages", {"Ref": "Name"}, "small"]},
        ]
        if depth == 0:
            return self.chance.choice(leaves)()
        inner: list[Callable[[], Any]] = [
            lambda: {"Fn::Join": [self.chance.choice(["-", "", ", "]), self.texts(depth - 1)]},
            lambda: {"Fn::Join": ["/", self.list(depth - 1)]},
            lambda: {"Fn::Select": [self.chance.randrange(3), self.texts(depth - 1, 3)]},
            lambda: {"Fn::Select": [str(self.chance.randrange(3)), {"Ref": "List"}]},
            lambda: {"Fn::Select": [1, {"Fn::Split": ["-", "one-two-three"]}]},
            lambda: {"Fn::Select": [2, {"Fn::Cidr": [{"Ref": "Block"}, 6, self.chance.choice([6, "8"])]}]},
            lambda: {"Fn::If": [self.condition(), self.text(depth - 1), self.text(depth - 1)]},
            lambda: {"Fn::Sub": "${Name}-${AWS::Region}/${Number}${!Literal}"},
            lambda: {"Fn::Sub": "${Other}:${Other.TopicName} of ${Stage}"},
            lambda: {"Fn::Sub": ["<${A}|${Name}>", {"A": self.text(depth - 1)}]},
            lambda: {"Fn::Base64": self.text(depth - 1)},
        ]
        return self.chance.choice(leaves + inner)()

    def texts(self, depth: int, least: int = 1) -> list[Any]:
        """Expressions for texts, written as a list."""
        return [self.text(depth) for _ in range(self.chance.randint(least, 4))]

    def list(self, depth: int) -> Any:
        """An expression for a list."""
        kinds: list[Callable[[], Any]] = [
            lambda: self.texts(max(depth - 1, 0)),
            lambda: {"Ref": "List"},
            lambda: {"Fn::Split": [",", self.chance.choice(["x,y", "x", {"Fn::Join": [",", {"Ref": "List"}]}])]},
            lambda: {"Fn::If": [self.condition(), ["p", "q"], {"Ref": "List"}]},
        ]
        return self.chance.choice(kinds)()

    def condition(self) -> str:
        """The name of one."""
        return str(self.chance.choice(list(HEAD["Conditions"])))

    def template(self) -> dict[str, Any]:
        """A topic with a tag for each expression, some of which are there only where a condition holds."""
        tags: list[Any] = [{"Key": f"t{number}", "Value": self.text()} for number in range(12)]
        nothing = {"Ref": "AWS::NoValue"}
        tags += [{"Fn::If": [self.condition(), {"Key": "if", "Value": self.text(1)}, nothing]} for _ in range(3)]
        properties: dict[str, Any] = {
            "TopicName": self.text(),
            "DisplayName": {"Fn::If": [self.condition(), nothing, self.text(1)]},
            "Tags": tags,
        }
        return {
            **HEAD,
            "Resources": {
                "Topic": {"Type": "AWS::SNS::Topic", "Properties": properties},
                "Other": {"Type": "AWS::SNS::Topic"},
            },
        }


def test_in_generated_expressions() -> None:
    found = Comparison()
    for seed in range(150):
        compare(json.dumps(Writer(seed).template()), f"seed {seed}", found)
    assert found.disagreed == []
    assert found.agreed > 1000
    assert dict(found.not_ours) == {}
