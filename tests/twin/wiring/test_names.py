"""Faults of failover routing: a region is lost, and its users are answered with it all the same."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import balancer_name
from bicoastal.twin.names.controller import Names
from bicoastal.twin.names.resolver import Resolver
from bicoastal.twin.pace import Pace
from tests.support.cloudformation import Walker
from tests.support.specs import spec
from tests.support.wiring import changed, fault, walker_of
from tests.twin.conftest import REGIONS, Grounds
from tests.twin.names.endpoints import Endpoint, reply
from tests.twin.names.test_names import balancer, running, until

HOME, STANDBY = REGIONS
BRISK = Pace("brisk", 40)
NAME = "orders.example.com"
RECORDS = f"names/{HOME}"
ZONES = {HOME: "Z35SXDOTRQ7X7K", STANDBY: "Z1H1FL5HABSF5"}


@dataclass
class Coasts:
    """The deployment's zone, checks and records, with a server in each balancer's place."""

    ground: Ground
    names: Names
    walker: Walker
    servers: dict[str, Endpoint] = field(default_factory=dict)

    @property
    def answered(self) -> str:
        """The region with which users are answered."""
        addresses = self.names.resolve(NAME, HOME).addresses
        return next((region for region in REGIONS if (self.address(region),) == addresses), "")

    def serves(self) -> bool:
        """Whether anybody is where users are sent."""
        with contextlib.suppress(OSError):
            socket.create_connection((self.address(self.answered), reachable_port(443)), timeout=5).close()
            return True
        return False

    @property
    def witness(self) -> str:
        """What home's instances read about who may write."""
        told = Resolver(self.ground.addresses.resolver).ask(f"witness.{HOME}.{NAME}", "TXT")
        return " ".join(line.value.strip('"') for line in told.lines)

    def address(self, region: str) -> str:
        elb = self.ground.api.client("elbv2", region)
        (found,) = elb.describe_load_balancers()["LoadBalancers"]
        return self.ground.addresses.of(balancer_name(region, found["LoadBalancerArn"]))

    def serve(self, region: str) -> None:
        own = (self.ground.authority, self.ground.home.certificates)
        self.servers[region] = Endpoint(self.address(region), reachable_port(443), own)
        self.servers[region].answer = reply(200, b"off")
        self.servers[region].__enter__()

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()

    @contextmanager
    def lost(self, region: str) -> Iterator[None]:
        """For as long as the block runs."""
        elb = self.ground.api.client("elbv2", region)
        group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
        targets = [{"Id": "i-1"}]
        self.servers[region].stop()
        elb.deregister_targets(TargetGroupArn=group, Targets=targets)
        try:
            yield
        finally:
            elb.register_targets(TargetGroupArn=group, Targets=targets)
            self.serve(region)


@pytest.fixture
def coasts(grounds: Grounds) -> Iterator[Coasts]:
    ground = grounds("names", pace=BRISK)
    with ExitStack() as stack:
        names = stack.enter_context(running(ground))
        walker = walker_of(spec(routing="failover"), ground, RECORDS)
        made = Coasts(ground, names, walker)
        stack.callback(made.stop)
        for region in REGIONS:
            _, dns_name = balancer(ground, region)
            # The service's stack is not deployed: what others take from it, it has given.
            walker.outputs[f"service/{region}"] = {"BalancerDnsName": dns_name, "BalancerZoneId": ZONES[region]}
            made.serve(region)
        for entry in walker.manifest.stacks:
            if entry.id.startswith(("zone/", "checks/", "names/")):
                walker.create(entry)
                until(lambda: all(names.statuses.values()), 60)
        until(lambda: names.public_name == NAME and made.answered == HOME, 60)
        yield made


def test_4_failover_record_without_health_check(coasts: Coasts) -> None:
    """The lost primary is answered for as long as the record says nothing of its health."""
    unguarded = changed("FailoverPrimary", "EvaluateTargetHealth: true", "EvaluateTargetHealth: false")
    untold = changed("HomeWitnessPrimary", "      HealthCheckId: !Ref StandbySwitchOffCheckId\n", "")
    with coasts.lost(HOME):
        coasts.servers[STANDBY].answer = reply(200, b"on:2;")
        until(lambda: coasts.answered == STANDBY, 60)
        until(lambda: coasts.witness.startswith("epoch=2"), 60)
        with fault(coasts.walker, RECORDS, lambda text: untold(unguarded(text))):
            until(lambda: coasts.answered == HOME, 60)
            assert not coasts.serves(), "users are sent where nobody is"
            until(lambda: coasts.witness == "epoch=1", 60)
        until(lambda: coasts.answered == STANDBY, 60)
        assert coasts.serves()
        until(lambda: coasts.witness.startswith("epoch=2"), 60)


def test_5_secondary_in_the_primarys_region(coasts: Coasts) -> None:
    """There is nobody else when the region is lost: its users are answered with it."""
    same = changed("FailoverSecondary", f"- live.{STANDBY}.{NAME}\n", f"- live.{HOME}.{NAME}\n")
    with coasts.lost(HOME):
        until(lambda: coasts.answered == STANDBY, 60)
        assert coasts.serves()
        with fault(coasts.walker, RECORDS, same):
            until(lambda: coasts.answered == HOME, 60)
            assert not coasts.serves(), "the standby would serve, and nobody is sent there"
        until(lambda: coasts.answered == STANDBY, 60)
