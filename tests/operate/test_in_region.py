"""The failover inside a region refuses what RDS would, before anything is begun. The move itself: `twin/whole`."""

from __future__ import annotations

import pytest

from bicoastal.core.errors import Refused
from bicoastal.operate.in_region import movable
from bicoastal.operate.subject import Subject
from tests.operate.kits import EAST, Kits, SessionWithKits


def test_a_database_with_a_standby_can_be_moved(session: SessionWithKits, subject: Subject) -> None:
    found = movable(session, subject, EAST)
    assert (found.identifier, found.multi_az, found.status) == ("orders-production-db-g1", True, "available")


def test_one_that_is_not_available_is_not(session: SessionWithKits, kits: Kits, subject: Subject) -> None:
    kits.status[EAST] = "backing-up"
    try:
        with pytest.raises(Refused, match=r"is backing-up; RDS moves an available one\. Nothing was changed"):
            movable(session, subject, EAST)
    finally:
        kits.status.clear()


def test_one_without_a_standby_is_not(session: SessionWithKits, subject: Subject) -> None:
    rds, which = session.client("rds", EAST), {"DBInstanceIdentifier": "orders-production-db-g1"}
    rds.modify_db_instance(**which, MultiAZ=False, ApplyImmediately=True)
    try:
        with pytest.raises(Refused, match="has no standby: it is not Multi-AZ"):
            movable(session, subject, EAST)
    finally:
        rds.modify_db_instance(**which, MultiAZ=True, ApplyImmediately=True)
