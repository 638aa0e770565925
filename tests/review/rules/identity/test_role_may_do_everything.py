"""A role that may do everything is an administrator, whoever bears it."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import ROLE

RULE = "role-may-do-everything"


def test_stars() -> None:
    (text,) = said(RULE, ROLE.replace("STATEMENT", '{Effect: Allow, Action: "*", Resource: "*"}'))
    assert text.startswith("warning: Role is allowed * on *.")


def test_everything_on_one_thing() -> None:
    assert said(RULE, ROLE.replace("STATEMENT", '{Effect: Allow, Action: "*", Resource: "arn:aws:s3:::a"}')) == []
