"""The shipped schema is current, is valid, takes what the reader takes, and marks the obvious mistakes in an editor."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from bicoastal.spec.model import WORDS, Spec
from bicoastal.spec.schema import SHIPPED, schema, text
from bicoastal.spec.starter import STARTER
from tests.support.specs import SMALLEST, valid_specs

VALIDATOR = Draft202012Validator(schema())


def test_the_shipped_schema_is_current() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == text(), "run: .venv/bin/python -m bicoastal.spec.schema"


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_it_takes_the_starter_and_the_smallest_spec() -> None:
    assert list(VALIDATOR.iter_errors(yaml.safe_load(STARTER))) == []
    assert list(VALIDATOR.iter_errors(SMALLEST)) == []


@settings(max_examples=50, deadline=None)
@given(valid_specs())
def test_it_takes_every_valid_spec(spec: Spec) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(spec.model_dump(mode="json"))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"cost_centre": "x"},
        {"name": "Orders"},
        {"domain": "https://orders.example.com"},
        {"domain": {"name": "orders.example.com", "zone_id": "example.com"}},
        {"app": {}},
        {"app": {"command": "x", "environment": {"lower": "x"}}},
        {"app": {"command": "x", "port": 80}},
        {"routing": "nearst"},
        {"instances": {"min": 1}},
        {"regions": {"us-east-1": {"role": "home", "cidr": "10.1.0.0/16"}}},
        {"regions": {"us-east-1": {"role": "home", "cidr": "10.1.0.0/8"}, "us-west-2": {"role": "standby"}}},
        {"regions": {name: {"role": "home", "cidr": "10.1.0.0/16"} for name in ("us-east-1", "us-west-9")}},
        {"logs": {"retention_days": 31}},
        {"alerts": "oncall@example.com"},
    ],
)
def test_it_marks_mistakes(change: dict[str, Any]) -> None:
    assert list(VALIDATOR.iter_errors({**SMALLEST, **change}))


def test_every_field_is_described_and_every_pattern_has_words() -> None:
    made = schema()
    for name, group in {"Spec": made, **made["$defs"]}.items():
        for key, field in group.get("properties", {}).items():
            refers = field.get("$ref", "").removeprefix("#/$defs/")
            assert field.get("description") or made["$defs"].get(refers, {}).get("description"), f"{name}.{key}"
    patterns = json.dumps(made).count('"pattern":')
    assert patterns == json.dumps(made).count('"patternErrorMessage":')
    assert all(words and not words.endswith(".") for words in WORDS.values())
