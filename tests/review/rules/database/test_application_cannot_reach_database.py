"""An application that is told of a database must also get there."""

from __future__ import annotations

from tests.support.findings import said
from tests.support.pieces import BALANCER, DATABASE, FLEET, VPC

RULE = "application-cannot-reach-database"


def test_nobody_is_told_of_it() -> None:
    assert said(RULE, VPC + BALANCER + FLEET + DATABASE.replace("MORE", "Port: 5432")) == []
