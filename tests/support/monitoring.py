"""The monitoring of a spec, over outputs that stand for what it watches."""

from __future__ import annotations

from bicoastal.blueprint.foundation import foundation
from bicoastal.blueprint.monitoring import monitoring
from bicoastal.blueprint.service.capacity import Capacity
from bicoastal.blueprint.service.service import Service
from bicoastal.blueprint.stack import Output, Stack
from bicoastal.blueprint.vault import vault
from bicoastal.spec.model import Spec
from tests.support.regions import database_of


def build_monitoring(of: Spec) -> Stack:
    """The stack."""

    def output(name: str) -> Output:
        return Output("service", name, "String", name, (of.home, of.standby))

    service = Service(
        stack=Stack(of, "service", "stands for the service"),
        balancer_dns_name=output("BalancerDnsName"),
        balancer_zone_id=output("BalancerZoneId"),
        balancer_full_name=output("BalancerFullName"),
        target_group_full_name=output("TargetGroupFullName"),
        fleet_name=output("FleetName"),
        capacity=Capacity(output("AtMaximum"), ()),
    )
    return monitoring(of, foundation(of), vault(of), database_of(of), service).stack
