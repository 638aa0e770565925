"""A load balancer's access log, as ALB writes it: a line for each request, in gzipped objects of five minutes.

They are in the bucket and under the key that AWS documents; the minutes are the twin's. Lines wait in a file, so that
what an interrupted twin had logged is shipped by the next. Source of both forms: Application Load Balancers guide,
"Access logs for your Application Load Balancer".
"""

from __future__ import annotations

import datetime
import gzip
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.twin.balancers.desired import Balancer, Group
from bicoastal.twin.balancers.routes import cluster_of
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import balancer_name

_EVERY_S = 300.0
_FROM_TARGET = "via_upstream"


class AccessLog:
    """Of one load balancer."""

    def __init__(self, ground: Ground, waiting: Path) -> None:
        """`waiting` takes the lines that were not shipped yet."""
        self._ground = ground
        self._waiting = waiting
        self._due = time.monotonic() + ground.pace.seconds(_EVERY_S)

    def add(self, balancer: Balancer, record: Mapping[str, Any]) -> None:
        """One request, where the log is switched on."""
        if balancer.on("access_logs.s3.enabled"):
            with self._waiting.open("a") as file:
                file.write(line(balancer, record) + "\n")

    def ship_when_due(self, balancer: Balancer) -> None:
        """Every five minutes. Raises SystemFault when the bucket does not take it; it is tried again."""
        if time.monotonic() >= self._due:
            self.ship(balancer)
            self._due = time.monotonic() + self._ground.pace.seconds(_EVERY_S)

    def ship(self, balancer: Balancer) -> None:
        """Now, if there is anything."""
        bucket = balancer.attributes.get("access_logs.s3.bucket")
        if not bucket or not self._waiting.exists():
            return
        with aws_faults(f"access log of {balancer.name}"):
            self._ground.api.client("s3", balancer.region).put_object(
                Bucket=bucket, Key=self._key(balancer), Body=gzip.compress(self._waiting.read_bytes())
            )
        self._waiting.unlink()

    def _key(self, balancer: Balancer) -> str:
        account = balancer.arn.split(":")[4]
        now = datetime.datetime.now(datetime.UTC)
        prefix = balancer.attributes.get("access_logs.s3.prefix", "")
        address = self._ground.addresses.of(balancer_name(balancer.region, balancer.arn))
        folder = f"AWSLogs/{account}/elasticloadbalancing/{balancer.region}/{now:%Y/%m/%d}"
        name = (
            f"{account}_elasticloadbalancing_{balancer.region}_{balancer.name.replace('/', '.')}_{now:%Y%m%dT%H%MZ}"
            f"_{address}_{secrets.token_hex(4)}.log.gz"
        )
        return "/".join(part for part in (prefix, folder, name) if part)


def line(balancer: Balancer, record: Mapping[str, Any]) -> str:
    """A request in the fields of ALB's log, in their order."""
    group = next((item for item in balancer.groups.values() if cluster_of(item) == record["group"]), None)
    secure = bool(record["tls"])
    rule = _priority(balancer, str(record["rule"] or ""))
    begun = float(record["at"])
    own = record["target_status"] != _FROM_TARGET
    kind = ("https" if secure else "http") if record["protocol"] != "HTTP/2" else "h2"
    scheme = "https" if secure else "http"
    target = str(record["target"] or "-")
    fields = [
        kind,
        _time(time.time() if begun <= 0 else begun + sum(_took(record))),
        balancer.name,
        str(record["client"]),
        target,
        *(f"{seconds:.3f}" if target != "-" else "-1" for seconds in _took(record)),
        str(record["status"]),
        "-" if own else str(record["status"]),
        str(record["received"]),
        str(record["sent"]),
        _quoted(f"{record['method']} {scheme}://{record['host']}{record['path']} {_protocol(record)}"),
        _quoted(record["agent"] or "-"),
        str(record["cipher"] or "-"),
        str(record["tls"] or "-"),
        group.arn if group else "-",
        _quoted("-"),
        _quoted(str(record["host"] or "-").partition(":")[0] if secure else "-"),
        _quoted("-"),
        rule,
        _time(begun),
        _quoted(_action(record, group)),
        _quoted(record["location"] or "-"),
        _quoted("-"),
        _quoted(target),
        _quoted("-" if own else record["status"]),
        *(_quoted("-"), _quoted("-")),
    ]
    return " ".join(fields)


def _took(record: Mapping[str, Any]) -> tuple[float, float, float]:
    """Seconds until the request went to the target, until it answered, and until the client had it."""
    first, second, third = (max(int(record[name] or 0), 0) / 1e6 for name in ("us_request", "us_target", "us_response"))
    return first, second, third


def _action(record: Mapping[str, Any], group: Group | None) -> str:
    if any(flag in (record["flags"] or "") for flag in ("RL", "UAEX")):
        return "waf"
    if record["target_status"] == "direct_response":
        return "redirect" if record["location"] else "fixed-response"
    return "forward" if group else "-"


def _priority(balancer: Balancer, rule: str) -> str:
    """As the API counts; the default rule is 0."""
    for listener in balancer.listeners:
        for item in listener.rules:
            if item.arn.endswith(f"/{rule}"):
                return "0" if item is listener.rules[-1] else str(item.priority)
    return "-"


def _protocol(record: Mapping[str, Any]) -> str:
    return {"HTTP/2": "HTTP/2.0"}.get(str(record["protocol"]), str(record["protocol"] or "-"))


def _time(seconds: float) -> str:
    at = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


def _quoted(text: object) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', "%22") + '"'
