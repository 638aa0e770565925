"""The AWS CLI drives it, and what is killed heals as on AWS."""

from __future__ import annotations

import os
import signal
from functools import partial

from tests.support.running import EAST, PREFIX, WEST, Running, Writers, until

DATABASE, FLEET = f"{PREFIX}-db-g1", f"{PREFIX}-fleet"


def test_the_writer_moves_to_the_other_zone_with_no_acknowledged_write_lost(twin: Running) -> None:
    before = twin.aws("rds", "describe-db-instances")["DBInstances"][0]
    with Writers(twin, [EAST, EAST, WEST]) as writers:
        until("rows are acknowledged", lambda: len(writers.acknowledged) > 20)
        twin.aws("rds", "reboot-db-instance", "--db-instance-identifier", DATABASE, "--force-failover")
        until(
            "the writer is in the other zone",
            lambda: (
                (now := twin.database(EAST))["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
                and now["DBInstanceStatus"] == "available"
            ),
        )
        count = len(writers.acknowledged)
        until("rows are acknowledged again", lambda: len(writers.acknowledged) > count + 20)
    after = twin.database(EAST)
    assert after["Endpoint"] == before["Endpoint"]
    assert after["SecondaryAvailabilityZone"] == before["AvailabilityZone"]
    assert writers.lost(EAST) == []


def test_a_fleet_grows_and_drains(twin: Running) -> None:
    def serve(size: int) -> bool:
        return len(twin.in_service(WEST)) == size

    for size in (3, 2):
        twin.aws(
            *(
                "autoscaling",
                "set-desired-capacity",
                "--auto-scaling-group-name",
                FLEET,
                "--desired-capacity",
                str(size),
            ),
            region=WEST,
        )
        until(f"{size} instances serve in the west", partial(serve, size), 120)
        assert twin.get(WEST).status == 200
    serving = [item for item in twin.fleet(WEST)["Instances"] if item["LifecycleState"] == "InService"]
    assert len({item["AvailabilityZone"] for item in serving}) == 2, "spread over zones"
    until("what left runs no more", lambda: len(_servers_of(twin, WEST)) == 2)


def test_a_server_that_is_killed_is_started_again(twin: Running) -> None:
    before = set(_servers_of(twin, WEST))
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    until("another one runs", lambda: len(now := set(_servers_of(twin, WEST))) == len(before) and victim not in now)
    until("it serves", lambda: all(twin.get(WEST).status == 200 for _ in range(8)))
    assert twin.get(EAST).status == 200


def test_a_balancer_that_is_killed_is_back(twin: Running) -> None:
    (victim,) = [pid for pid in twin.processes("envoy") if EAST in _command(pid)]
    os.kill(victim, signal.SIGKILL)
    until("the east serves", lambda: twin.get(EAST).status == 200)
    assert victim not in twin.processes("envoy")


def test_a_primary_that_is_killed_fails_over_by_itself_and_loses_nothing(twin: Running) -> None:
    before = twin.database(EAST)
    with Writers(twin, [EAST, WEST]) as writers:
        until("rows are acknowledged", lambda: len(writers.acknowledged) > 20)
        for pid in _servers_of_primary(twin):
            os.kill(pid, signal.SIGKILL)
        until(
            "the standby has taken over", lambda: twin.database(EAST)["AvailabilityZone"] != before["AvailabilityZone"]
        )
        count = len(writers.acknowledged)
        until("rows are acknowledged again", lambda: len(writers.acknowledged) > count + 20)
    assert twin.database(EAST)["Endpoint"] == before["Endpoint"]
    assert writers.lost(EAST) == []
    until("there is a standby again", lambda: twin.database(EAST)["DBInstanceStatus"] == "available")


def _servers_of(twin: Running, region: str) -> list[int]:
    """The application's processes of a region's instances; not the shells that started them."""
    found = [pid for pid in twin.processes("python3.11 -m orders") if _command(pid).startswith("python3.11")]
    return [pid for pid in found if region in os.readlink(f"/proc/{pid}/cwd")]  # noqa: PTH115


def _servers_of_primary(twin: Running) -> list[int]:
    """PostgreSQL's first process of the east's primary: the one whose data follows nobody."""
    found = []
    for pid in twin.processes("postgres -D"):
        data = _command(pid).split("-D ")[1].split()[0]
        if f"{EAST}/{DATABASE}/" in data and not os.path.exists(f"{data}/standby.signal"):  # noqa: PTH110
            found.append(pid)
    assert len(found) == 1
    return found


def _command(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
        return file.read().replace(b"\0", b" ").decode()
