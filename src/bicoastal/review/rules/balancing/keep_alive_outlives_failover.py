"""DNS moves new connections; those that are open stay where they are."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.model.service import attribute
from bicoastal.review.rule import Hit, Rule, Seen
from bicoastal.review.verdict import number

RULE = Rule(
    "keep-alive-outlives-failover",
    Severity.WARNING,
    "Clients may keep a connection to a load balancer for longer than three minutes",
    "By default an hour: clients with an open connection stay on a region that is going down.",
    "Set client_keep_alive.seconds to 180 or less.",
    ("AWS::Route53::RecordSet", "AWS::Route53::RecordSetGroup"),
    "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-load-balancer-attributes.html",
)
_SECONDS = 180


def look(case: Case) -> Iterator[Seen]:
    """Balancers that DNS can lead users away from: others have nothing to hurry for."""
    led: dict[int, Resource] = {}
    for record in case.names.records:
        balancers = case.names.balancers(record)
        partners = [one for other in case.names.named(record.name, record.type) for one in case.names.balancers(other)]
        if record.set_id and len({id(item) for item in (*balancers, *partners)}) > 1:
            led |= {id(item): item for item in balancers}
    for item in led.values():
        value = attribute(item, "LoadBalancerAttributes", "client_keep_alive.seconds")
        seconds = number(value) if value is not None else 3600
        if seconds is not None and seconds > _SECONDS:
            yield Hit(item, f"{item.logical_id} keeps connections for {seconds:.0f} s.", ("LoadBalancerAttributes",))
