"""A stack that waits for signals that nobody sends waits until it fails."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, FLEET, VPC

RULE = "rolling-update-cannot-signal"


def test_nobody_signals() -> None:
    (text,) = said(RULE, VPC + BALANCER + FLEET + "  CreationPolicy: {ResourceSignal: {Count: 2}}\n")
    assert text.startswith("error: Fleet waits for signals, and Template sends none.")


def test_the_script_signals() -> None:
    assert (
        said(
            RULE,
            (VPC + BALANCER + FLEET + "  CreationPolicy: {ResourceSignal: {Count: 2}}\n").replace(
                "--port 8080", "--port 8080 && cfn-signal"
            ),
        )
        == []
    )


def test_nobody_waits() -> None:
    assert said(RULE, VPC + BALANCER + FLEET) == []
