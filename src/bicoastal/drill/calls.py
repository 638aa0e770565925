"""What a failover asked of AWS, by the gateway's record, and which of it the path should not have needed (design D4).

A call to the lost region, or to a control plane that lives there, is forbidden when the path waited for it. Whether it
did is not what the operation says of itself: a path that goes on asks the surviving region meanwhile. A call that was
answered at once cannot be told so, which is why a run with calls that hang is compared with one where they are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

GLOBAL_SERVICES = frozenset({"route53", "iam", "cloudfront", "organizations"})
NOTICED_S = 0.5
"""A call that took no longer held up nobody."""


@dataclass(frozen=True)
class Call:
    """One call as the gateway saw it end."""

    began: float
    seconds: float
    service: str
    region: str
    action: str
    outcome: str

    @property
    def ended(self) -> float:
        """When."""
        return self.began + self.seconds

    @classmethod
    def of(cls, seen: Mapping[str, Any]) -> Call:
        """From the gateway's record."""
        names = ("service", "region", "action", "outcome")
        return cls(float(seen["at"]), float(seen["seconds"]), *(str(seen[name]) for name in names))


def of_operator(record: Iterable[Mapping[str, Any]], access_key_ids: Iterable[str]) -> list[Call]:
    """The calls of the operator's credentials, by their beginnings."""
    keys = set(access_key_ids)
    found = [Call.of(seen) for seen in record if seen["access_key_id"] in keys]
    return sorted(found, key=lambda call: call.began)


def needs_the_lost(call: Call, lost: str) -> bool:
    """Whether it went to the lost region, or to a control plane of all regions."""
    return call.region == lost or call.service in GLOBAL_SERVICES


def forbidden(calls: Sequence[Call], lost: str) -> list[Call]:
    """Those to global control planes, and those to the lost region that the path waited for."""
    return [
        call
        for call in calls
        if needs_the_lost(call, lost) and (call.service in GLOBAL_SERVICES or _waited_for(call, calls, lost))
    ]


def _waited_for(call: Call, calls: Sequence[Call], lost: str) -> bool:
    """Nothing was asked of the survivor while it was open, and something was as soon as it had ended."""
    if call.seconds <= NOTICED_S:
        return False
    others = [other for other in calls if not needs_the_lost(other, lost)]
    meanwhile = any(call.began + NOTICED_S < other.began < call.ended for other in others)
    then = any(call.ended <= other.began <= call.ended + NOTICED_S for other in others)
    return not meanwhile and then
