"""Filter patterns of CloudWatch Logs, those of the real templates among them."""

from __future__ import annotations

import json

import pytest

from bicoastal.twin.cloud.filter_patterns import PatternError, compiled, value_at

CALL = {
    "eventSource": "ssm.amazonaws.com",
    "eventName": "StartAutomationExecution",
    "errorCode": None,
    "count": 404,
    "ok": True,
    "requestParameters": {"documentName": "arn:aws:ssm:us-east-1:1:document/orders-open-access", "ids": ["a", "b"]},
}


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "an ERROR here", True),
        ("ERROR", "an error here", False),
        ("ERROR disk", "disk ERROR", True),
        ("ERROR disk", "ERROR", False),
        ("?ERROR ?CRITICAL ?FATAL ?Traceback", "Traceback (most recent call last):", True),
        ("?ERROR ?CRITICAL ?FATAL ?Traceback", "all is well", False),
        ("ERROR -retry", "ERROR, will retry", False),
        ('"out of memory"', "killed: out of memory", True),
        ('"out of memory"', "memory out of", False),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    assert compiled(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventSource = "ssm.amazonaws.com" }', True),
        ('{ $.eventSource != "ssm.amazonaws.com" }', False),
        ('{ $.requestParameters.documentName = "*orders-open-access" }', True),
        ('{ $.requestParameters.documentName = "*close-access" }', False),
        ('{ ($.eventName = "A") || (($.count >= 400) && ($.count < 500)) }', True),
        ("{ $.count = 404 }", True),
        ("{ $.count = 4* }", False),
        ('{ $.requestParameters.ids[1] = "b" }', True),
        ("{ $.errorCode IS NULL }", True),
        ("{ $.nothing NOT EXISTS }", True),
        ("{ $.nothing EXISTS }", False),
        ('{ $.nothing != "a" }', False),
        ("{ $.ok IS TRUE }", True),
        ('{ $.eventName = "Start?utomationExecution" }', False),
    ],
)
def test_selectors(pattern: str, expected: bool) -> None:
    assert compiled(pattern)(json.dumps(CALL)) is expected
    assert compiled(pattern)("no JSON") is False


@pytest.mark.parametrize("pattern", ["[ip, user]", "%re%", "{ $.a = ", "{ $.a }", "{ a = 1 }", '{ ($.a = "x" }'])
def test_what_is_not_understood_is_said(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)


def test_a_metrics_value_from_an_event() -> None:
    assert value_at(json.dumps(CALL), "$.count") == 404
    assert value_at(json.dumps(CALL), "$.eventName") is None
    assert value_at("no JSON", "$.count") is None
