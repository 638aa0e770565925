"""Minute by minute at the fast pace: rooms measure, alarms change, fleets are asked, databases' logs are shipped."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Measurement
from bicoastal.twin.metrics.controller import Metrics
from bicoastal.twin.metrics.series import TICKS_A_MINUTE
from bicoastal.twin.pace import Pace
from tests.twin.metrics.conftest import ALL, HOME, STANDBY, Machines
from tests.twin.metrics.test_agent import logged, until

Json = Any


@dataclass(frozen=True)
class Exported:
    """A DB instance's log."""

    region: str
    identifier: str
    group: str
    path: Path


@dataclass
class Room:
    """Measures what the test says, and writes logs."""

    name: str = "room"
    value: float = 5.0
    files: list[Exported] = field(default_factory=list)
    asked: int = 0

    def measurements(self) -> Iterable[Measurement]:
        self.asked += 1
        for region in (HOME, STANDBY):
            yield Measurement(region, "AWS/Room", "Load", {"Room": self.name}, "Count", self.value)
            yield Measurement(
                region, "AWS/Room", "Times", {"Room": self.name}, "Seconds", count=2, total=3, least=1, most=2
            )
            yield Measurement(region, "AWS/Room", "Spread", {"Room": self.name}, "Seconds", values={1.0: 90, 9.0: 10})

    def log_files(self) -> Iterable[Exported]:
        return self.files


class Broken:
    """A room that fails."""

    name = "broken"

    def measurements(self) -> Iterable[Measurement]:
        raise ZeroDivisionError


def faster(ground: Ground) -> Ground:
    """With minutes of a second: a test waits for several."""
    return replace(ground, pace=Pace("faster", 60))


@contextmanager
def running(ground: Ground, *rooms: object, **others: Any) -> Iterator[Metrics]:
    metrics = Metrics(ground, rooms, **others)
    metrics.start()
    try:
        yield metrics
    finally:
        metrics.stop()


def put_alarm(ground: Ground, name: str, room: Room, region: str = HOME, **changes: Json) -> None:
    ground.api.client("cloudwatch", region).put_metric_alarm(
        **({} if "ExtendedStatistic" in changes else {"Statistic": "Maximum"}),
        **{
            "AlarmName": name,
            "Namespace": "AWS/Room",
            "MetricName": "Load",
            "Dimensions": [{"Name": "Room", "Value": room.name}],
            "Period": 60,
            "EvaluationPeriods": 2,
            "Threshold": 10.0,
            "ComparisonOperator": "GreaterThanThreshold",
            **changes,
        },
    )


def states(ground: Ground, name: str) -> tuple[str, ...]:
    found = [
        ground.api.client("cloudwatch", region).describe_alarms(AlarmNames=[name])["MetricAlarms"]
        for region in (HOME, STANDBY)
    ]
    return tuple(alarm["StateValue"] for (alarm,) in found)


def test_what_rooms_measure_reaches_alarms_in_their_region_within_minutes(twin: Ground) -> None:
    room = Room("first")
    put_alarm(twin, "home", room)
    put_alarm(twin, "home", room, STANDBY, Threshold=1000.0)
    spread: Json = {"MetricName": "Spread", "ExtendedStatistic": "p99", "Threshold": 8.0, "EvaluationPeriods": 1}
    put_alarm(twin, "spread", room, **spread)
    with running(faster(twin), Broken(), room) as metrics:
        until(lambda: states(twin, "home") == ("OK", "OK"), "both alarms have data")
        room.value = 50.0
        until(lambda: states(twin, "home") == ("ALARM", "OK"), "the home alarm rings")
        record = twin.api.client("cloudwatch", HOME).describe_alarms(AlarmNames=["home"])["MetricAlarms"][0]
        assert metrics.alarm_state(HOME, record) == "ALARM"
        assert metrics.alarm_state(HOME, {**record, "Threshold": 99.0}) == "OK", "an older setting of the alarm"
        assert [trouble.key for trouble in metrics.status.troubles] == ["measurements of broken"]
        assert metrics.status.rounds >= 2
        (slow,) = twin.api.client("cloudwatch", HOME).describe_alarms(AlarmNames=["spread"])["MetricAlarms"]
        assert slow["StateValue"] == "ALARM"


def test_minutes_do_not_drift(twin: Ground) -> None:
    room = Room("clock")
    with running(faster(twin), room):
        until(lambda: room.asked >= 5, "five minutes")
    points = [
        point
        for point in twin.api.report("cloudwatch.data", HOME, after=0)["points"]
        if point[2] == "Load" and point[3] == [["Room", "clock"]]
    ]
    numbers = [point[5] for point in points]
    assert all(number == int(number) for number in numbers), "each stands at the beginning of its minute"
    assert numbers == sorted(set(numbers)), "and no minute has two"


def test_the_cpu_of_instances_and_of_their_group(twin: Ground, machines: Machines) -> None:
    busy, idle = machines(twin, "i-busy", ALL), machines(twin, "i-idle", ALL)
    metrics = Metrics(twin, hosts=lambda: (busy, idle))
    list(metrics._cpu())
    begun = time.monotonic()
    busy.cpu_s += 0.5 * busy.vcpus
    time.sleep(0.5)
    found = list(metrics._cpu())
    took = time.monotonic() - begun
    values = {measured.dimensions.get("InstanceId"): measured.value for measured in found}
    assert values["i-busy"] is not None
    assert 50 / took * 0.7 <= values["i-busy"] <= 100
    assert values["i-idle"] == 0.0
    group = {one.value for one in found if one.dimensions == {"AutoScalingGroupName": "fleet"}}
    assert group == {0.0, values["i-busy"]}, "one data point of each instance"
    metrics.stop()


def test_hundreds_of_alarms_cost_little(twin: Ground) -> None:
    rooms = [Room(f"many-{number}") for number in range(10)]
    for number in range(200):
        put_alarm(twin, f"many-{number}", rooms[number % 10])
    metrics = Metrics(twin, rooms)
    end = int(time.time() / twin.pace.seconds(60)) * TICKS_A_MINUTE
    metrics._publish(end // TICKS_A_MINUTE - 1)
    metrics.evaluate(HOME, end)
    before = time.process_time()
    for _ in range(3):
        metrics.evaluate(HOME, end)
    assert (time.process_time() - before) / 3 < 0.03, "seconds of CPU a minute"
    metrics.stop()


def test_postgresqls_log_of_an_instance_reaches_its_group(twin: Ground, tmp_path: Path) -> None:
    log = tmp_path / "postgresql.log"
    log.write_text("LOG: ready\n")
    logs = twin.api.client("logs", STANDBY)
    group = "/aws/rds/instance/orders/postgresql"
    logs.create_log_group(logGroupName=group)
    with running(twin, Room(files=[Exported(STANDBY, "orders", group, log)])):
        until(
            lambda: logs.filter_log_events(logGroupName=group, logStreamNames=["orders.0"])["events"],
            "the line in the standby's group",
        )
    assert logged(twin, group) == [], "and not at home"


def test_a_region_whose_alarms_cannot_be_evaluated_holds_up_no_other(twin: Ground) -> None:
    room = Room("strange")
    put_alarm(twin, "strange", room, ComparisonOperator="GreaterThanUpperThreshold")
    put_alarm(twin, "plain", room)
    put_alarm(twin, "plain", room, STANDBY)
    with running(twin, room) as metrics:
        until(lambda: states(twin, "plain") == ("OK", "OK"), "the others are evaluated")
        assert "alarm strange" in [trouble.key for trouble in metrics.status.troubles]
