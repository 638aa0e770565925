"""Which recovery point is meant, what a copy knows of its original, and where a restore stands: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bicoastal.aws.faults import ApiFault
from bicoastal.core.errors import Refused
from bicoastal.operate.backups import Copy, Point, Vault, _related, _unless_denied, choose
from bicoastal.operate.census import Census, Table
from bicoastal.operate.restore import Sought, restore_state
from bicoastal.operate.restoring import Job, Place, Restored, identifier, metadata
from bicoastal.operate.subject import Subject
from bicoastal.operate.transitions import State
from tests.operate.kits import EAST, WEST

FRIDAY = datetime(2026, 11, 27, 5, 0, tzinfo=UTC)
SOURCE = f"arn:aws:rds:{EAST}:123456789012:db:orders-production-db-g1"


def test_who_may_not_see_plans_sees_recovery_points_all_the_same() -> None:
    def denied() -> None:
        raise ApiFault("not authorized", "AccessDeniedException")

    def throttled() -> None:
        raise ApiFault("slow down", "Throttling")

    assert _unless_denied(denied, "unknown") == "unknown"
    assert _unless_denied(lambda: "seen", "unknown") == "seen"
    with pytest.raises(ApiFault, match="slow down"):
        _unless_denied(throttled, "unknown")


def point(name: str, at: datetime = FRIDAY, region: str = EAST, state: str = "COMPLETED") -> Point:
    return Point(
        arn=f"arn:aws:rds:{region}:123456789012:snapshot:awsbackup:{name}",
        region=region,
        vault="orders-production",
        state=state,
        taken=at,
        source=SOURCE,
        size=None,
        until=None,
        copied_from="" if region == EAST else EAST,
    )


def copied(of: Point, name: str) -> tuple[Copy, Point]:
    """A copy is made half an hour after its original."""
    made = point(name, of.taken + timedelta(minutes=30), WEST)
    return Copy(of.arn, made.arn, WEST, "COMPLETED"), made


THURSDAY, LATEST = point("job-thursday", FRIDAY - timedelta(days=1)), point("job-friday")
JOB, COPY = copied(LATEST, "copyjob-friday")
VAULTS = _related(
    [Vault(EAST, True, points=(LATEST, THURSDAY), jobs=(JOB,)), Vault(WEST, True, points=(COPY,))]
)  # fmt: skip


def test_an_original_knows_its_copies_and_a_copy_when_its_original_was_made() -> None:
    home, standby = VAULTS
    assert [item.id for item in home.points] == ["job-friday", "job-thursday"]
    assert (home.points[0].copies, home.points[1].copies) == ((JOB,), ())
    assert (standby.points[0].taken, standby.points[0].copied_from) == (FRIDAY, EAST)


def test_the_newest_is_the_original_unless_the_copys_region_is_named() -> None:
    assert choose(VAULTS).arn == LATEST.arn
    assert choose(VAULTS, region=WEST).arn == COPY.arn
    assert choose(VAULTS, before=FRIDAY - timedelta(hours=1)).arn == THURSDAY.arn


def test_the_copy_is_taken_when_the_originals_region_is_silent() -> None:
    silent = (Vault(EAST, False, why="no answer"), VAULTS[1])
    assert choose(silent).arn == COPY.arn
    with pytest.raises(Refused, match=f"{EAST} does not answer, what it keeps is unknown: no answer"):
        choose(silent, named="job-thursday")


def test_a_name_may_be_shortened_while_it_means_one() -> None:
    assert choose(VAULTS, named="JOB-F").arn == LATEST.arn
    assert choose(VAULTS, named=COPY.arn).arn == COPY.arn
    with pytest.raises(Refused, match="begins the names of 2 recovery points"):
        choose(VAULTS, named="job-")
    with pytest.raises(Refused, match="job-x is no recovery point"):
        choose(VAULTS, named="job-x")


@pytest.mark.parametrize("state", ["CREATING", "PARTIAL", "EXPIRED", ""])
def test_what_is_not_completed_is_refused(state: str) -> None:
    vaults = (Vault(EAST, True, points=(replace(LATEST, state=state), THURSDAY)),)
    with pytest.raises(Refused, match="only a completed recovery point can be restored"):
        choose(vaults, named="job-friday")
    assert choose(vaults).arn == THURSDAY.arn
    with pytest.raises(Refused, match="no completed recovery point from 2026-11-20 05:00 UTC or before"):
        choose(vaults, before=FRIDAY - timedelta(days=7))


def made(status: str) -> Restored:
    return Restored("orders-production-restored-1", "arn", status, "host", 5432, 20, True, "key")


@pytest.mark.parametrize(
    ("seen", "keep", "state"),
    [
        (Sought(None, None), True, State.CHOSEN),
        (Sought(None, Job("1", "FAILED")), True, State.CHOSEN),
        (Sought(None, Job("1", "PENDING")), True, State.RESTORING),
        (Sought(made("creating"), None), True, State.RESTORING),
        (Sought(made("backing-up"), None), False, State.RESTORING),
        (Sought(made("available"), None), False, State.RESTORED),
        (Sought(made("deleting"), None), False, State.VERIFIED),
    ],
)
def test_a_restore_goes_on_from_what_is_there(seen: Sought, keep: bool, state: State) -> None:
    assert restore_state(seen, verified=False, handed=False, keep=keep) is state


def test_one_that_was_read_is_not_read_again() -> None:
    seen = Sought(made("available"), None)
    assert restore_state(seen, verified=True, handed=False, keep=True) is State.VERIFIED
    assert restore_state(seen, verified=True, handed=True, keep=True) is State.HANDED_OVER


def test_the_instance_is_always_the_same_and_never_the_live_one() -> None:
    subject = Subject("a" * 16, "b" * 12, "orders.example.com", EAST, WEST, "nearest", rpo_s=30.0)
    name = identifier(subject, LATEST)
    assert name == identifier(subject, replace(LATEST, state="?"))
    assert name.startswith(f"{subject.prefix}-restored-20261127-0500-")
    assert len(name) <= 63
    assert identifier(subject, COPY) != name


def test_a_copy_is_restored_into_its_own_regions_surroundings() -> None:
    told = {
        "dbInstanceIdentifier": "orders-production-db-g1",
        "DBInstanceClass": "db.t4g.medium",
        "VpcSecurityGroupIds": '["sg-of-the-east"]',
        "MultiAZ": "true",
        "AvailabilityZone": "us-east-1a",
    }
    where = Place("role", "subnets-of-the-west", "sg-of-the-west", "parameters-of-the-west", {})
    found = metadata(told, "restored", where)
    assert found["dbInstanceIdentifier"] == "restored"
    assert "DBInstanceIdentifier" not in found, "one spelling of each"
    assert (found["DBInstanceClass"], found["DBSubnetGroupName"]) == ("db.t4g.medium", "subnets-of-the-west")
    assert found["VpcSecurityGroupIds"] == '["sg-of-the-west"]'
    assert (found["MultiAZ"], found["PubliclyAccessible"]) == ("false", "false")
    assert "AvailabilityZone" not in found


def table(name: str, rows: int | None, unreadable: tuple[str, ...] = ()) -> Table:
    return Table(name, rows, None, None, None, None, None, None, unreadable)


def test_only_what_was_read_wholly_is_sound() -> None:
    good = Census((table("public.orders", 3), table("public.later", None)), invalid_indexes=0)
    assert good.sound
    assert good.rows == 3
    assert not Census().sound, "no table at all"
    assert not replace(good, unknown="no answer").sound
    assert not replace(good, invalid_indexes=1).sound
    assert not replace(good, tables=(*good.tables, table("public.hidden", None, ("restored",)))).sound
