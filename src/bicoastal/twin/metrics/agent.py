"""The CloudWatch agent of one instance: it publishes and ships what its configuration says, with its instance's role.

No threads of its own: `Agents` calls `publish` and `ship` from time to time, and hands it datagrams. What goes wrong is
said in the agent's own log on the instance, as there.
"""

from __future__ import annotations

import contextlib
import glob
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import SystemFault
from bicoastal.twin.account import Account
from bicoastal.twin.interfaces import Host
from bicoastal.twin.metrics.configuration import Configuration, File, Measurement
from bicoastal.twin.metrics.shipping import Shipment
from bicoastal.twin.metrics.statsd import Collected
from bicoastal.twin.metrics.tail import Tail

LOG = "opt/aws/amazon-cloudwatch-agent/logs/amazon-cloudwatch-agent.log"
"""Below the instance's root."""
_SESSION_S = 300.0
"""How long a session of the role is used before the host is asked for one again."""
_MOST_VALUES = 150
"""Different values of a datum; CloudWatch takes no more."""
_MOST_DATA = 1000
_MOST_SAID = 500
_GROUP_TAG = "aws:autoscaling:groupName"


class AgentOfInstance:
    """One agent. `publish` and `ship` are each called by one thread at a time."""

    def __init__(self, host: Host, configuration: Configuration, account: Account, seconds: Callable[[float], float]):
        """`seconds` turns a template's time to the twin's."""
        self.host = host
        self.configuration = configuration
        self._account = account
        self._seconds = seconds
        self._collected = Collected()
        self._lock = threading.Lock()
        self._renewing = threading.Lock()
        self._dimensions: dict[str, str] | None = None
        self._session: tuple[float, Session] | None = None
        self._shipments: dict[tuple[File, str], Shipment] = {}
        self._said: set[str] = set()
        for name in configuration.unknown:
            self.say(f"W! {name} is not collected here")

    def datagram(self, data: bytes) -> None:
        """Of the StatsD listener."""
        listener = self.configuration.statsd
        if listener is not None:
            with self._lock:
                self._collected.datagram(data, int(time.time() / self._seconds(listener.collect_s)))

    def publish(self, now: float, *, all_of_it: bool = False) -> None:
        """What was measured in the interval that ends now (seconds since the epoch)."""
        if not self._tagged():
            return
        data = [*(() if all_of_it else self._measured(now)), *self._counted(now, all_of_it=all_of_it)]
        if not data:
            return
        try:
            client = self.session().client("cloudwatch", self.host.region)
            for first in range(0, len(data), _MOST_DATA):
                with aws_faults("PutMetricData"):
                    client.put_metric_data(
                        Namespace=self.configuration.namespace, MetricData=data[first : first + _MOST_DATA]
                    )
        except SystemFault as error:
            self.say(f"E! {str(error).partition(chr(10))[0]}")

    def ship(self, *, all_of_it: bool = False) -> None:
        """What has come to the log files."""
        for file in self.configuration.files:
            path = self._newest(file.path)
            if path is None:
                continue
            if (file, path.name) not in self._shipments:
                self._shipments[file, path.name] = self._shipment(file, path)
            self._shipments[file, path.name].ship(all_of_it=all_of_it)

    def close(self) -> None:
        """Let files go."""
        for shipment in self._shipments.values():
            shipment.close()

    def session(self) -> Session:
        """The AWS API with the instance's role. Raises SystemFault where it has none."""
        with self._renewing:
            now = time.monotonic()
            if self._session is None or now - self._session[0] > _SESSION_S:
                self._session = (now, self.host.session())
            return self._session[1]

    def say(self, text: str) -> None:
        """A line of the agent's log; one that was written already is not written again."""
        if text in self._said or len(self._said) >= _MOST_SAID:
            return
        self._said.add(text)
        path = self.host.root / LOG
        with contextlib.suppress(OSError):
            self._make_folder(path.parent)
            new = not path.exists()
            with path.open("a") as stream:
                stream.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text}\n")
            if new:
                self._account.own(path)

    def _make_folder(self, folder: Path) -> None:
        for one in [*reversed([part for part in folder.parents if part.is_relative_to(self.host.root)]), folder]:
            if not one.exists():
                one.mkdir(mode=0o755)
                self._account.own(one)

    def _measured(self, now: float) -> Iterator[Mapping[str, Any]]:
        for wanted in self.configuration.measurements:
            every = self._seconds(wanted.interval_s)
            # The shortest interval calls; a longer one is due when it ends.
            if int(now / every + 1e-6) == int((now - self.interval) / every + 1e-6):
                continue
            values = self._memory(wanted) if wanted.plugin == "mem" else self._disk(wanted)
            for dimensions, value in values:
                yield from self._data(
                    wanted.name, {**dict(wanted.dimensions), **dimensions}, wanted.unit, {value: 1.0},
                    _beginning(now, every), resolution=60 if wanted.interval_s >= 60 else 1,
                )  # fmt: skip

    def _counted(self, now: float, *, all_of_it: bool) -> Iterator[Mapping[str, Any]]:
        listener = self.configuration.statsd
        if listener is None:
            return
        collect, aggregate_s = self._seconds(listener.collect_s), listener.aggregate_s or listener.collect_s
        every = self._seconds(aggregate_s)
        if not all_of_it and int(now / every + 1e-6) == int((now - self.interval) / every + 1e-6):
            return
        with self._lock:
            taken = list(self._collected.take(int(now / collect + 1e-6) + (1 if all_of_it else 0)))
            refused, self._collected.refused = self._collected.refused, 0
        if refused:
            self.say("W! datagrams came that are no StatsD")
        at = _beginning(now, every)
        for key, values in taken:
            dimensions = {**dict(key.tags), "metric_type": key.kind}
            yield from self._data(key.name, dimensions, "None", values, at, resolution=60 if aggregate_s >= 60 else 1)

    @property
    def interval(self) -> float:
        """Seconds, by the pace, after which `publish` is to be called again."""
        known = [one.interval_s for one in self.configuration.measurements]
        if self.configuration.statsd is not None:
            known.append(self.configuration.statsd.aggregate_s or self.configuration.statsd.collect_s)
        return self._seconds(min(known, default=60))

    def _memory(self, wanted: Measurement) -> Iterator[tuple[Mapping[str, str], float]]:
        """Of the instance's own processes alone: they share this machine's operating system."""
        used, total = float(self.host.usage().memory_bytes), float(self.host.memory_bytes)
        figures = {
            "used": used,
            "total": total,
            "available": max(total - used, 0.0),
            "used_percent": 100 * used / total,
            "available_percent": 100 * max(total - used, 0.0) / total,
        }
        yield {}, figures[wanted.field]

    def _disk(self, wanted: Measurement) -> Iterator[tuple[Mapping[str, str], float]]:
        """Of the file system on which the instance's root is: the one that it has."""
        try:
            found = os.statvfs(self.host.root)
        except OSError:
            return
        used = float(found.f_blocks - found.f_bfree) * found.f_frsize
        free = float(found.f_bavail) * found.f_frsize
        figures = {
            "used": used,
            "free": free,
            "total": float(found.f_blocks) * found.f_frsize,
            "used_percent": 100 * used / (used + free) if used + free else 0.0,
        }
        dimensions = {"path": "/", "fstype": "xfs"}
        if not wanted.drop_device:
            dimensions["device"] = "nvme0n1p1"
        if "/" in wanted.resources or "*" in wanted.resources:
            yield dimensions, figures[wanted.field]

    def _data(
        self, name: str, own: Mapping[str, str], unit: str, values: Mapping[float, float], at: float, *, resolution: int
    ) -> Iterator[Mapping[str, Any]]:
        """A metric, and its roll-ups: one for each list of dimensions that is a part of its own."""
        dimensions = {**own, **(self._dimensions or {})}
        wanted = [dimensions]
        for names in self.configuration.aggregation:
            if len(names) < len(dimensions) and all(one in dimensions for one in names):
                wanted.append({one: dimensions[one] for one in names})
        pairs = list(values.items())
        for chosen in wanted:
            for first in range(0, len(pairs), _MOST_VALUES):
                part = pairs[first : first + _MOST_VALUES]
                datum: dict[str, Any] = {
                    "MetricName": name,
                    "Dimensions": [{"Name": one, "Value": other} for one, other in chosen.items()],
                    "Timestamp": datetime.fromtimestamp(at, UTC),
                    "Unit": unit,
                    "StorageResolution": resolution,
                }
                if len(part) == 1 and part[0][1] == 1:
                    datum["Value"] = part[0][0]
                else:
                    datum["Values"], datum["Counts"] = [one for one, _ in part], [count for _, count in part]
                yield datum

    def _tagged(self) -> bool:
        """Whether the dimensions of `append_dimensions` are known; before they are, the agent publishes nothing."""
        if self._dimensions is None:
            asked = self.configuration.append_dimensions
            found = {name: self._known(value) for name, value in asked.items()}
            if None in found.values():
                return False
            missing = ", ".join(name for name, value in found.items() if not value)
            if missing:
                self.say(f"W! no value for the dimension {missing}: metrics go without it")
            known = {name: value for name, value in found.items() if value}
            self._dimensions = known if asked else {"host": self._hostname()}
        return True

    def _known(self, value: str) -> str | None:
        if value == "${aws:InstanceId}":
            return self.host.id
        if value == "${aws:AutoScalingGroupName}":
            return self._group()
        return "" if value.startswith("${aws:") else value

    def _group(self) -> str | None:
        """The agent reads its instance's tags from EC2, with its role."""
        try:
            with aws_faults("DescribeTags"):
                answer = (
                    self.session()
                    .client("ec2", self.host.region)
                    .describe_tags(Filters=[{"Name": "resource-id", "Values": [self.host.id]}])
                )
        except SystemFault as error:
            self.say(f"E! {str(error).partition(chr(10))[0]}")
            return None
        tags = {tag["Key"]: tag["Value"] for tag in answer.get("Tags") or ()}
        return tags.get(_GROUP_TAG) or self.host.tag(_GROUP_TAG) or ""

    def _hostname(self) -> str:
        return "ip-" + self.host.address.replace(".", "-")

    def _shipment(self, file: File, path: Path) -> Shipment:
        state = self.host.root / LOG
        state = state.parent / "state" / str(path.relative_to(self.host.root)).replace("/", "_")
        with contextlib.suppress(OSError):
            self._make_folder(state.parent)
        return Shipment(
            Tail(path, state),
            lambda: self.session().client("logs", self.host.region),
            self._filled(file.group),
            self._filled(file.stream),
            retention_days=file.retention_days,
            say=lambda text: self.say(f"E! {text}"),
        )

    def _filled(self, name: str) -> str:
        return (
            name.replace("{instance_id}", self.host.id)
            .replace("{hostname}", self._hostname())
            .replace("{local_hostname}", self._hostname())
            .replace("{ip_address}", self.host.address)
            .replace("{date}", f"{datetime.now(UTC):%Y-%m-%d}")
        )

    def _newest(self, path: str) -> Path | None:
        """The file of this path on the instance; of those that a wildcard finds, the one that was written last."""
        if not glob.has_magic(path):
            return self.host.root / path.lstrip("/")
        found = self.host.root.glob(path.lstrip("/"))
        return max((one for one in found if one.is_file()), key=lambda one: one.stat().st_mtime, default=None)


def _beginning(now: float, every: float) -> float:
    """Of the interval that ends now, or is under way: data stand there, in the CloudWatch minute that they are of."""
    return (math.ceil(now / every - 1e-6) - 1) * every
