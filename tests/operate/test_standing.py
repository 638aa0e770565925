"""Who is the primary, what protects it, what would stop a failover: from the control plane, and with a region gone."""

from __future__ import annotations

from bicoastal.cli.status import standing_data, told
from bicoastal.operate.sight import Gate
from bicoastal.operate.standing import stand
from bicoastal.operate.subject import Subject
from tests.operate.kits import EAST, WEST, Kits, SessionWithKits


def test_a_steady_deployment_is_protected(session: SessionWithKits, subject: Subject) -> None:
    standing = stand(session, subject, 20)
    assert (standing.primary, standing.protected, standing.why, standing.stops) == (EAST, True, (), ())
    assert standing.regions[WEST].side.gate is Gate.OPEN
    assert standing.regions[WEST].armed == ()
    lines = [line for line, _ in told(standing)]
    assert lines[0] == "Primary: us-east-1, protected."
    assert any("us-west-2" in line and "replica, epoch 1" in line and "switch off" in line for line in lines)


def test_a_region_that_answers_nothing_is_said_so_and_nothing_is_made_up(
    session: SessionWithKits, kits: Kits, subject: Subject
) -> None:
    kits.lost.add(EAST)
    try:
        standing = stand(session, subject, 20)
        kits.status[WEST] = "backing-up"
        stopped = stand(session, subject, 20)
    finally:
        kits.lost.clear()
        kits.status.clear()
    assert not standing.protected
    assert standing.primary == EAST, "whoever is left follows it"
    assert [why for why in standing.why if EAST in why] == list(standing.why)
    assert [stop.partition(":")[0] for stop in stopped.stops if stop not in standing.stops] == ["backup"]
    data = standing_data(standing)
    assert data["regions"][EAST] == {
        "answered": False,
        "role": None,
        "epoch": None,
        "heartbeat_age_s": None,
        "fence": None,
        "gate": "unknown",
        "switch": None,
        "last_backup": None,
        "emergency_access": None,
    }
    assert data["regions"][WEST]["role"] == "replica"


def test_what_would_stop_a_failover_is_known_before_it_is_needed(
    session: SessionWithKits, kits: Kits, subject: Subject
) -> None:
    kits.status[WEST] = "backing-up"
    try:
        standing = stand(session, subject, 20)
    finally:
        kits.status.clear()
    (stop,) = standing.stops
    assert stop.startswith("backup: orders-production-db-g1 is being backed up")
