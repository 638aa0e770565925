"""CloudWatch, minute by minute: what the rooms have measured is published, then every alarm is evaluated.

A CloudWatch minute is 60 s by the twin's pace, counted from the epoch: nobody's start shifts it, and a round that took
long delays no later one. What is measured in a minute stands at its beginning. Alarms are evaluated a moment after its
end, so that what agents publish then is there. One region's API that does not answer holds up no other's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import BicoastalError
from bicoastal.twin.controller import Status, Trouble
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import Agent, FindHost, Host, Measured, Measurement
from bicoastal.twin.metrics.agents import Agents, LogFile
from bicoastal.twin.metrics.alarms import NotUnderstoodError, Record, Verdict, evaluate
from bicoastal.twin.metrics.series import TICK_S, TICKS_A_MINUTE, Data
from bicoastal.twin.metrics.states import State

MINUTE_S = 60.0
GRACE_S = 10.0
"""Of a template's time, and two seconds at most: what was published at a minute's end has arrived by then."""
_LONGEST_GRACE_S = 2.0
_MOST_DATA = 1000
"""Of a PutMetricData."""


@runtime_checkable
class Logged(Protocol):
    """A room whose things write logs that AWS ships by itself."""

    def log_files(self) -> Iterable[LogFile]:
        """Of each DB instance that exports its log."""


@runtime_checkable
class _Measuring(Measured, Protocol):
    """One that can be told from others when the twin runs."""


class _Region:
    """What is known of a region's data and alarms."""

    def __init__(self, tick_s: float) -> None:
        self.data = Data(tick_s)
        self.after = 0
        self.end = 0
        """The tick at which alarms were evaluated last; 0: never."""
        self.computed: dict[str, State] = {}
        self.lock = threading.Lock()


class Metrics:
    """The controller; also gives agents to instances, and alarms' states to Route 53's health checks."""

    name = "metrics"

    def __init__(
        self,
        ground: Ground,
        rooms: Sequence[object] = (),
        find_host: FindHost | None = None,
        hosts: Callable[[], Iterable[Host]] = tuple,
    ) -> None:
        """`rooms` are those that measure something or write logs. An agent whose host is not found is silent."""
        self._ground = ground
        self._rooms = rooms
        self._hosts = hosts
        self._minute_s = ground.pace.seconds(MINUTE_S)
        self._tick_s = ground.pace.seconds(TICK_S)
        self._regions = {region: _Region(self._tick_s) for region in ground.regions}
        self._agents = Agents(ground, find_host, self._log_files)
        self._usage: dict[tuple[str, str], tuple[float, float]] = {}
        self._troubles: dict[str, Trouble] = {}
        self._rounds = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="twin-metrics", daemon=True)

    def start(self) -> None:
        """Begin with the minute that is under way."""
        self._agents.start()
        self._thread.start()

    def stop(self) -> None:
        """No new round; what agents have collected is shipped."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)
        self._agents.stop()

    def start_agent(self, host: Host, configuration: Path) -> Agent:
        """Make the CloudWatch agent of an instance; `configuration` as the instance names it, or below its root."""
        return self._agents.agent(host, configuration)

    def alarm_state(self, region: str, alarm: Mapping[str, object]) -> State:
        """What the metric of an alarm says as of the last minute, whatever the alarm's state was set to.

        Where data are ignored, or too few, the last state that was computed so for the alarm; INSUFFICIENT_DATA first.
        """
        known = self._regions[region]
        name = str(alarm.get("AlarmName", ""))
        with known.lock:
            if not known.end:
                return "INSUFFICIENT_DATA"
            before = known.computed.get(name, "INSUFFICIENT_DATA")
            try:
                return evaluate(alarm, known.data, known.end, self._tick_s).state or before
            except NotUnderstoodError:
                return "INSUFFICIENT_DATA"

    @property
    def status(self) -> Status:
        """As of now."""
        return Status(self.name, self._rounds, {}, tuple(self._troubles.values()))

    def _run(self) -> None:
        minute = int(time.time() / self._minute_s)
        while not self._stopping.wait(max((minute + 1) * self._minute_s - time.time(), 0)):
            self._publish(minute)
            grace = min(self._ground.pace.seconds(GRACE_S), _LONGEST_GRACE_S)
            if self._stopping.wait(max((minute + 1) * self._minute_s + grace - time.time(), 0)):
                return
            for region in self._regions:
                with self._apart(f"alarms of {region}"):
                    self.evaluate(region, (minute + 1) * TICKS_A_MINUTE)
            self._rounds += 1
            # After a suspension only the minute that is under way counts, not all that were slept through.
            minute = max(minute + 1, int(time.time() / self._minute_s))

    def _publish(self, minute: int) -> None:
        """All that was measured in a minute, at its beginning."""
        at = datetime.fromtimestamp(minute * self._minute_s, UTC)
        by_namespace: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
        for measured in self._measurements():
            by_namespace.setdefault((measured.region, measured.namespace), []).append(_datum(measured, at))
        for (region, namespace), found in by_namespace.items():
            with self._apart(f"{namespace} in {region}"), aws_faults(f"publishing {namespace} in {region}"):
                client = self._ground.api.client("cloudwatch", region)
                for first in range(0, len(found), _MOST_DATA):
                    client.put_metric_data(Namespace=namespace, MetricData=found[first : first + _MOST_DATA])

    def _measurements(self) -> Iterator[Measurement]:
        for room in self._rooms:
            if isinstance(room, _Measuring):
                found: list[Measurement] = []
                with self._apart(f"measurements of {getattr(room, 'name', type(room).__name__)}"):
                    found = list(room.measurements())
                yield from found
        with self._apart("CPU of instances"):
            yield from list(self._cpu())

    def _cpu(self) -> Iterator[Measurement]:
        """EC2's CPUUtilization, of each instance and of its group: detailed monitoring, of a minute."""
        before, self._usage = self._usage, {}
        for host in self._hosts():
            key = (host.region, host.id)
            now, used = time.monotonic(), host.usage().cpu_s
            self._usage[key] = (now, used)
            if key not in before or now <= before[key][0]:
                continue
            share = (used - before[key][1]) / ((now - before[key][0]) * host.vcpus)
            percent = min(max(share * 100, 0.0), 100.0)
            group = host.tag("aws:autoscaling:groupName")
            for dimensions in ({"InstanceId": host.id}, *([{"AutoScalingGroupName": group}] if group else [])):
                yield Measurement(host.region, "AWS/EC2", "CPUUtilization", dimensions, "Percent", percent)

    def evaluate(self, region: str, end: int) -> None:
        """Take in what came, and say the states of the region's alarms as of the tick `end`. Raises SystemFault."""
        known = self._regions[region]
        told = self._ground.api.report("cloudwatch.data", region, after=known.after)
        with known.lock:
            if told["whole"]:
                known.data.clear()
            for point in told["points"]:
                known.data.add(point)
            known.after, known.end = told["number"], end
            verdicts = [(alarm, self._verdict(alarm, known, end)) for alarm in told["alarms"]]
            known.data.forget_before(end)
        said = _said(verdicts)
        if any(said.values()):
            self._ground.api.report("cloudwatch.states", region, **said)

    def _verdict(self, alarm: Record, known: _Region, end: int) -> Verdict | None:
        try:
            verdict = evaluate(alarm, known.data, end, self._tick_s)
        except NotUnderstoodError as error:
            self._failed(f"alarm {alarm['AlarmName']}", str(error))
            return None
        self._troubles.pop(f"alarm {alarm['AlarmName']}", None)
        if verdict.state:
            known.computed[alarm["AlarmName"]] = verdict.state
        return verdict

    def _log_files(self) -> Iterator[LogFile]:
        for room in self._rooms:
            if isinstance(room, Logged):
                yield from room.log_files()

    @contextmanager
    def _apart(self, what: str) -> Iterator[None]:
        """A round goes on whatever one part of it meets; `status` tells what that was."""
        try:
            yield
        except Exception as error:
            self._failed(what, str(error) if isinstance(error, BicoastalError) else f"{type(error).__name__}: {error}")
        else:
            self._troubles.pop(what, None)

    def _failed(self, what: str, error: str) -> None:
        before = self._troubles.get(what)
        now = time.monotonic()
        since, failures = (before.since, before.failures) if before else (now, 0)
        self._troubles[what] = Trouble(what, error, since, now, failures + 1)


def _datum(measured: Measurement, at: datetime) -> Mapping[str, Any]:
    datum: dict[str, Any] = {
        "MetricName": measured.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in measured.dimensions.items()],
        "Timestamp": at,
        "Unit": measured.unit,
    }
    if measured.value is not None:
        datum["Value"] = measured.value
    elif measured.values:
        datum["Values"], datum["Counts"] = list(measured.values), list(measured.values.values())
    else:
        datum["StatisticValues"] = {
            "SampleCount": measured.count,
            "Sum": measured.total,
            "Minimum": measured.least,
            "Maximum": measured.most,
        }
    return datum


def _said(verdicts: Sequence[tuple[Record, Verdict | None]]) -> dict[str, list[Mapping[str, Any]]]:
    """Changes of state; and alarms that stay in one whose scaling policies are asked again each minute."""
    changes: list[Mapping[str, Any]] = []
    lasting: list[Mapping[str, Any]] = []
    for alarm, verdict in verdicts:
        if verdict is None or verdict.state is None:
            continue
        if verdict.state != alarm["StateValue"]:
            changes.append(
                {
                    "alarm": alarm["AlarmName"],
                    "state": verdict.state,
                    "reason": verdict.reason,
                    "data": verdict.data,
                }
            )
        elif alarm.get("Scales"):
            lasting.append({"alarm": alarm["AlarmName"], "value": verdict.value})
    return {"changes": changes, "lasting": lasting}
