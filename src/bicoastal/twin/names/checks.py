"""What probes and alarms make of a health check, by Route 53's rules. Pure: nobody is asked here.

A checker changes its mind after as many probes in a row as the check's threshold; an endpoint is healthy while more
than 18 % of the checkers say so. A calculated check counts its healthy children; inversion comes last. A new check is
healthy (an inverted one: unhealthy) until probes have been counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Json = Any
AlarmValue = Literal["OK", "ALARM", "INSUFFICIENT_DATA"]

ENDPOINT_KINDS = frozenset({"HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP"})
CALCULATED = "CALCULATED"
ALARM = "CLOUDWATCH_METRIC"
_HEALTHY_SHARE = 0.18
_DEFAULT_PORTS = {"HTTP": 80, "HTTP_STR_MATCH": 80, "HTTPS": 443, "HTTPS_STR_MATCH": 443}


@dataclass(frozen=True)
class Check:
    """A health check's configuration."""

    id: str
    version: int
    """Raised by each change."""
    kind: str
    host: str = ""
    """FullyQualifiedDomainName."""
    address: str = ""
    port: int = 0
    path: str = "/"
    search: str = ""
    interval_s: int = 30
    threshold: int = 3
    sni: bool = False
    inverted: bool = False
    disabled: bool = False
    regions: tuple[str, ...] = ()
    """Of the checkers that are wanted; empty: any."""
    children: tuple[str, ...] = ()
    healthy_children: int = 0
    alarm: tuple[str, str] = ("", "")
    """Region and name."""
    without_data: str = "LastKnownStatus"

    @classmethod
    def read(cls, item: Mapping[str, Json]) -> Check:
        """From ListHealthChecks."""
        config = item["HealthCheckConfig"]
        kind = str(config["Type"])
        alarm = config.get("AlarmIdentifier") or {}
        path = str(config.get("ResourcePath") or "/")
        return cls(
            id=str(item["Id"]),
            version=int(item.get("HealthCheckVersion", 1)),
            kind=kind,
            host=str(config.get("FullyQualifiedDomainName") or ""),
            address=str(config.get("IPAddress") or ""),
            port=int(config.get("Port") or _DEFAULT_PORTS.get(kind, 80)),
            path=path if path.startswith("/") else f"/{path}",
            search=str(config.get("SearchString") or ""),
            interval_s=int(config.get("RequestInterval") or 30),
            threshold=int(config.get("FailureThreshold") or 3),
            # Route 53 takes it for wanted where a check of HTTPS does not say.
            sni=bool(config.get("EnableSNI", kind.startswith("HTTPS"))),
            inverted=bool(config.get("Inverted", False)),
            disabled=bool(config.get("Disabled", False)),
            regions=tuple(config.get("Regions") or ()),
            children=tuple(config.get("ChildHealthChecks") or ()),
            healthy_children=int(config.get("HealthThreshold") or 0),
            alarm=(str(alarm.get("Region", "")), str(alarm.get("Name", ""))),
            without_data=str(config.get("InsufficientDataHealthStatus") or "LastKnownStatus"),
        )

    @property
    def secure(self) -> bool:
        """Whether it is asked by TLS."""
        return self.kind.startswith("HTTPS")

    @property
    def probed(self) -> bool:
        """Whether an endpoint is asked."""
        return self.kind in ENDPOINT_KINDS and not self.disabled

    def raw(self, status: bool) -> bool:
        """What a status was before inversion."""
        return status is not self.inverted


class Opinion:
    """What one checker thinks of an endpoint."""

    def __init__(self, healthy: bool) -> None:
        self.healthy = healthy
        self._against = 0

    def see(self, success: bool, threshold: int) -> None:
        """Count a probe: the mind changes after `threshold` in a row that say otherwise."""
        self._against = 0 if success is self.healthy else self._against + 1
        if self._against >= threshold:
            self.healthy = success
            self._against = 0


def endpoint_health(opinions: Iterable[Opinion]) -> bool:
    """Whether more than 18 % of the checkers take it for healthy."""
    found = [opinion.healthy for opinion in opinions]
    return sum(found) > _HEALTHY_SHARE * len(found)


def alarm_health(check: Check, value: AlarmValue, last_known: bool) -> bool:
    """Before inversion. AWS does not say whether `Inverted` turns the status for missing data too: here it does."""
    if value == "INSUFFICIENT_DATA":
        return {"Healthy": True, "Unhealthy": False}.get(check.without_data, last_known)
    return value == "OK"


def statuses(checks: Mapping[str, Check], raw: Mapping[str, bool]) -> dict[str, bool]:
    """Check id to whether it is healthy; `raw` is what endpoints and alarms said before inversion.

    RECOVERY_CONTROL is not supported and stays as it began.
    """
    found: dict[str, bool] = {}
    for check in checks.values():
        if check.kind != CALCULATED:
            found[check.id] = _inverted(check, check.disabled or raw.get(check.id, True))
    for check in checks.values():
        if check.kind == CALCULATED:
            # A child that was deleted counts as none: Route 53 calls what it does then unpredictable.
            healthy = sum(found.get(child, False) for child in check.children)
            found[check.id] = _inverted(check, check.disabled or healthy >= check.healthy_children)
    return found


def _inverted(check: Check, healthy: bool) -> bool:
    return healthy is not check.inverted
