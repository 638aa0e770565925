"""What Envoy logs of each request, read as it is written: the measurements of CloudWatch's minute, as ALB gives them.

As on AWS a request counts once a target was chosen for it, nothing is published of requests that there were not, and
the health of targets is published by the minute. Times are kept to two digits, so that percentiles are true and a
million requests take a few hundred values.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bicoastal.twin.interfaces import Measurement

Record = Mapping[str, Any]

_NAMESPACE = "AWS/ApplicationELB"
_ROTATE_BYTES = 4 << 20
_FROM_TARGET = "via_upstream"
_VALUES = 150
"""Different ones in a measurement, as in PutMetricData."""
_NAMED_ERRORS = (500, 502, 503, 504)


class Log:
    """The file of requests, read on from where it was read last, and made anew when it has become long."""

    def __init__(self, path: Path, reopen: Callable[[], None]) -> None:
        """`reopen` lets Envoy go on in a new file; it may raise OSError."""
        self._path = path
        self._reopen = reopen
        self._at = 0
        self._identity = 0
        self._rest = b""

    @property
    def waiting(self) -> int:
        """Bytes that were not read."""
        try:
            found = self._path.stat()
        except OSError:
            return 0
        return found.st_size - (self._at if found.st_ino == self._identity else 0)

    def read(self) -> Iterator[Record]:
        """What is new. Nothing is read twice."""
        try:
            file = self._path.open("rb")
        except OSError:
            return
        with file:
            self._begin(file.fileno())
            yield from self._lines(file)
            if self._at < _ROTATE_BYTES:
                return
            old = self._path.with_suffix(".old")
            self._path.rename(old)
            try:
                self._reopen()
            except OSError:
                # It does not answer now, and goes on in the old file: so do we.
                old.rename(self._path)
                return
            yield from self._lines(file)
            # The next file may have the number of this one.
            self._identity = 0
            old.unlink()

    def _begin(self, descriptor: int) -> None:
        identity = os.fstat(descriptor).st_ino
        if identity != self._identity:
            self._identity, self._at, self._rest = identity, 0, b""

    def _lines(self, file: Any) -> Iterator[Record]:
        file.seek(self._at)
        while chunk := file.read(1 << 20):
            self._at += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                try:
                    yield json.loads(line)
                except ValueError:
                    continue


@dataclass
class _Tally:
    """Requests of a target group, or of a whole load balancer."""

    requests: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    """Metrics that count something, by name."""
    times: Counter[float] = field(default_factory=Counter)
    """Seconds, to two digits."""


class Minute:
    """Everything that happened since the last measurement."""

    def __init__(self) -> None:
        self._all = _Tally()
        self._groups: dict[str, _Tally] = {}
        self._hosts: dict[str, list[tuple[int, int]]] = {}
        self._bytes = 0
        self._blocked = 0

    def add(self, record: Record) -> None:
        """One request."""
        status = int(record["status"] or 0)
        target = record["target"]
        names = []
        if record["target_status"] == _FROM_TARGET:
            names.append(f"HTTPCode_Target_{status // 100}XX_Count")
        else:
            names += list(_own_codes(record, status))
        self._bytes += int(record["received"] or 0) + int(record["sent"] or 0)
        self._blocked += any(flag in (record["flags"] or "") for flag in ("RL", "UAEX"))
        group = self._groups.setdefault(record["group"], _Tally()) if target and record["group"] else None
        for tally in (self._all, group):
            if tally is None:
                continue
            tally.requests += bool(target)
            tally.codes.update(names if tally is self._all else [name for name in names if "_ELB_" not in name])
            took = record["us_target"]
            if target and took is not None and record["target_status"] == _FROM_TARGET:
                tally.times[rounded(max(int(took), 0) / 1e6)] += 1

    def hosts(self, group: str, healthy: int, unhealthy: int) -> None:
        """How many targets of a group (`targetgroup/NAME/ID`) there are from now on."""
        self._hosts.setdefault(group, []).append((healthy, unhealthy))

    def measurements(self, region: str, balancer: str, web_acl: str = "") -> Iterator[Measurement]:
        """All of it. `balancer` is the full name, `web_acl` the name of the metrics of the web ACL in front."""
        whole = {"LoadBalancer": balancer}
        yield from _of(self._all, region, whole)
        if self._bytes:
            yield Measurement(region, _NAMESPACE, "ProcessedBytes", whole, "Bytes", value=float(self._bytes))
        if self._blocked and web_acl:
            dimensions = {"Region": region, "Rule": "ALL", "WebACL": web_acl}
            yield Measurement(region, "AWS/WAFV2", "BlockedRequests", dimensions, "Count", **_ones(self._blocked))
        for cluster, tally in self._groups.items():
            name = f"targetgroup/{cluster}"
            yield from _of(tally, region, {"TargetGroup": name, **whole})
            healthy = max((item[0] for item in self._hosts.get(name, ())), default=0)
            for dimensions in ({"TargetGroup": name}, {"TargetGroup": name, **whole}):
                each = tally.requests / max(healthy, 1)
                yield Measurement(region, _NAMESPACE, "RequestCountPerTarget", dimensions, "Count", value=each)
        for name, counts in self._hosts.items():
            for index, metric in enumerate(("HealthyHostCount", "UnHealthyHostCount")):
                values = [count[index] for count in counts]
                yield Measurement(
                    region,
                    _NAMESPACE,
                    metric,
                    {"TargetGroup": name, **whole},
                    "Count",
                    count=len(values),
                    total=sum(values),
                    least=min(values),
                    most=max(values),
                )


def _own_codes(record: Record, status: int) -> Iterable[str]:
    """Of an answer that is the load balancer's own."""
    flags = str(record["flags"] or "")
    if record["target_status"] == "direct_response":
        yield "HTTP_Redirect_Count" if record["location"] else "HTTP_Fixed_Response_Count"
    if status // 100 >= 3:
        yield f"HTTPCode_ELB_{status // 100}XX_Count"
    if status in _NAMED_ERRORS:
        yield f"HTTPCode_ELB_{status}_Count"
    if "UF" in flags:
        yield "TargetConnectionErrorCount"


def _of(tally: _Tally, region: str, dimensions: Mapping[str, str]) -> Iterator[Measurement]:
    if tally.requests:
        yield Measurement(region, _NAMESPACE, "RequestCount", dimensions, "Count", **_ones(tally.requests))
    for name, number in sorted(tally.codes.items()):
        yield Measurement(region, _NAMESPACE, name, dimensions, "Count", **_ones(number))
    times = sorted(tally.times.items())
    for first in range(0, len(times), _VALUES):
        values = dict(times[first : first + _VALUES])
        yield Measurement(region, _NAMESPACE, "TargetResponseTime", dimensions, "Seconds", values=values)


def _ones(number: int) -> dict[str, Any]:
    """As many data points of 1."""
    return {"count": number, "total": number, "least": 1, "most": 1}


def rounded(value: float) -> float:
    """To two digits."""
    if value <= 0:
        return 0.0
    return round(value, 1 - math.floor(math.log10(value)))
