"""The example's own zone, checks and records, made by CloudFormation: who is sent where while regions come and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import balancer_name
from bicoastal.twin.names.controller import Names
from bicoastal.twin.names.resolver import Resolver
from bicoastal.twin.pace import Pace
from tests.twin.conftest import Grounds
from tests.twin.names.endpoints import Endpoint, reply
from tests.twin.names.test_names import HOME, STANDBY, Json, balancer, running, until

TEMPLATES = Path(__file__).resolve().parents[3] / "examples" / "orders" / "deployment" / "templates"
BRISK = Pace("brisk", 40)
"""Eight checks by TLS from three places, with both ends in this process: faster, and they would have no time for it."""
ALARMS = ("FleetAtMaximum", *(f"Quiet{number}" for number in range(1, 5)))


@dataclass
class Deployed:
    """The twin's names, with a server in each balancer's place."""

    ground: Ground
    names: Names
    servers: dict[str, Endpoint]
    metrics: dict[str, str]
    """Alarm to what its metric says."""

    def sent(self, coast: str) -> str:
        """The region to which a user there is sent."""
        addresses = self.names.resolve("orders.example.com", coast).addresses
        return next((region for region, server in self.servers.items() if (server.address,) == addresses), "")

    def witness(self, region: str) -> str:
        told = Resolver(self.ground.addresses.resolver).ask(f"witness.{region}.orders.example.com", "TXT")
        return " ".join(line.value.strip('"') for line in told.lines)

    def lose(self, region: str) -> None:
        self.servers[region].stop()
        elb = self.ground.api.client("elbv2", region)
        group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "i-1"}])


def create(ground: Ground, kind: str, parameters: dict[str, str]) -> dict[str, str]:
    """A stack of the example; its outputs."""
    body = (TEMPLATES / f"{kind}.yaml").read_text()
    client = ground.api.client("cloudformation", HOME)
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    client.create_stack(StackName=kind, TemplateBody=body, Parameters=given)

    def done() -> Json:
        stack = client.describe_stacks(StackName=kind)["Stacks"][0]
        assert "ROLLBACK" not in stack["StackStatus"], json.dumps(stack, default=str)
        return stack if stack["StackStatus"] == "CREATE_COMPLETE" else None

    return {item["OutputKey"]: item["OutputValue"] for item in until(done).get("Outputs", ())}


def put_alarm(ground: Ground, name: str) -> None:
    ground.api.client("cloudwatch", STANDBY).put_metric_alarm(
        AlarmName=name,
        Namespace="AWS/ApplicationELB",
        MetricName="RequestCountPerTarget",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
    )


@pytest.fixture
def deployed(grounds: Grounds) -> Iterator[Deployed]:
    ground = grounds("names", pace=BRISK)
    metrics = {f"Standby{name}Alarm": "OK" if name == "FleetAtMaximum" else "ALARM" for name in ALARMS}
    own = {"Epoch": "1", "NextEpoch": "2"}
    servers = {}
    with ExitStack() as stack:
        for role, region in (("Home", HOME), ("Standby", STANDBY)):
            arn, own[f"{role}BalancerDnsName"] = balancer(ground, region)
            address = ground.addresses.of(balancer_name(region, arn))
            server = Endpoint(address, 10443, (ground.authority, ground.home.certificates))
            servers[region] = stack.enter_context(server)
            server.answer = reply(200, b"off")
        for name in metrics:
            put_alarm(ground, name)

        def alarm_state(region: str, alarm: Json) -> Json:
            assert region == STANDBY
            return metrics[alarm["AlarmName"]]

        names = stack.enter_context(running(ground, alarm_state=alarm_state))
        zone = create(ground, "zone", {})
        checks = create(ground, "checks", {**own, **{name: name for name in metrics}})
        until(lambda: len(names.statuses) == 15 and all(names.statuses.values()))
        zones = {"HomeBalancerZoneId": "Z35SXDOTRQ7X7K", "StandbyBalancerZoneId": "Z1H1FL5HABSF5"}
        ids = {name: value for name, value in checks.items() if name.endswith("CheckId")}
        create(ground, "names", {**own, **zones, **ids, "HostedZoneId": zone["HostedZoneId"]})
        until(lambda: names.public_name == "orders.example.com")
        yield Deployed(ground, names, servers, metrics)


def test_each_coast_has_its_region_and_a_lost_one_is_left(deployed: Deployed) -> None:
    assert (deployed.sent(HOME), deployed.sent(STANDBY)) == (HOME, STANDBY)
    assert deployed.witness(HOME) == deployed.witness(STANDBY) == "epoch=1"
    deployed.lose(HOME)
    until(lambda: deployed.sent(HOME) == STANDBY)
    assert deployed.sent(STANDBY) == STANDBY
    assert deployed.witness(HOME) == "epoch=1", "a standby that only serves has not taken over"
    deployed.servers[STANDBY].answer = reply(200, b"on:2;")
    until(lambda: deployed.witness(HOME) == "epoch=2 region=us-west-2")
    assert deployed.witness(STANDBY) == "epoch=1"


def test_a_home_that_was_taken_over_from_gets_nobody_though_it_answers(deployed: Deployed) -> None:
    deployed.servers[STANDBY].answer = reply(200, b"on:2;")
    until(lambda: deployed.sent(HOME) == STANDBY)
    assert deployed.sent(STANDBY) == STANDBY
    deployed.servers[STANDBY].answer = reply(200, b"on:3;")
    until(lambda: deployed.sent(HOME) == HOME)


def test_a_full_standby_spills_slice_by_slice(deployed: Deployed) -> None:
    deployed.metrics["StandbyFleetAtMaximumAlarm"] = "ALARM"
    for number in (1, 2):
        deployed.metrics[f"StandbyQuiet{number}Alarm"] = "OK"
    until(lambda: {deployed.sent(STANDBY) for _ in range(24)} == {HOME, STANDBY})
    for number in (3, 4):
        deployed.metrics[f"StandbyQuiet{number}Alarm"] = "OK"
    until(lambda: {deployed.sent(STANDBY) for _ in range(24)} == {HOME})
    deployed.metrics["StandbyFleetAtMaximumAlarm"] = "INSUFFICIENT_DATA"
    until(lambda: {deployed.sent(STANDBY) for _ in range(24)} == {STANDBY})
