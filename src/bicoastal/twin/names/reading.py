"""Reads from the API what Route 53's data plane stands on: zones, health checks, balancers. It decides nothing.

All at once, by a question of the control plane: a dozen calls after every change would cost too much while stacks are
deployed. What has not changed since is not read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from bicoastal.twin.api import Api
from bicoastal.twin.interfaces import balancer_name
from bicoastal.twin.names.checks import Check
from bicoastal.twin.names.records import Balancer, Zone, balancer_key

Json = Any


@dataclass(frozen=True)
class Read:
    """What the API says."""

    zones: tuple[Zone, ...] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    balancers: Mapping[str, Balancer] = field(default_factory=dict)
    alarms: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    """Check id to the settings that its alarm had when the check was made or changed."""
    known: Mapping[str, bool] = field(default_factory=dict)
    """Statuses that were reported last, in an earlier life of the twin perhaps."""


class Reader:
    """Reads what may have changed."""

    def __init__(self, api: Api, address_of: Callable[[str], str]) -> None:
        """`address_of` gives the address of a thing by its name."""
        self._api = api
        self._address_of = address_of
        self._number = -1
        self._last = Read()

    def read(self) -> Read:
        """All of it. Raises SystemFault."""
        number = self._api.changes(0)
        if number != self._number:
            told = self._api.report("route53.everything", self._api.regions[0], regions=list(self._api.regions))
            self._last = self._understand(told)
            self._number = number
        return self._last

    def _understand(self, told: Json) -> Read:
        return Read(
            zones=tuple(Zone.read(zone["Id"], zone["Name"], zone["Records"]) for zone in told["zones"]),
            checks={item["Id"]: Check.read(item) for item in told["checks"]},
            balancers={balancer_key(item["DNSName"]): self._balancer(item) for item in told["balancers"]},
            alarms=told["alarms"],
            known=told["statuses"],
        )

    def _balancer(self, item: Json) -> Balancer:
        address = self._address_of(balancer_name(item["Region"], item["LoadBalancerArn"]))
        return Balancer(item["Region"], address, item["Healthy"])
