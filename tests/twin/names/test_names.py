"""Checkers and DNS over a control plane: what is created by the API is probed, answered, reported, and found again."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest
from botocore.exceptions import ClientError

from bicoastal.core.errors import SystemFault
from bicoastal.stacks.probes import Probed, watch
from bicoastal.twin.cloud.process import ask
from bicoastal.twin.controller import Loop
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import INTERNET, Verdict, admits_everything, balancer_name
from bicoastal.twin.names import packets
from bicoastal.twin.names.controller import Names, without_metrics
from bicoastal.twin.names.packets import Subnet
from bicoastal.twin.names.resolver import Resolver
from bicoastal.twin.pace import FAST, Pace
from tests.twin.conftest import Grounds
from tests.twin.names.endpoints import Endpoint, reply

HOME, STANDBY = "us-east-1", "us-west-2"
QUICK = Pace("quick", 100)
"""Ten seconds between two probes are a tenth of one."""
Json = Any


@contextmanager
def running(ground: Ground, **others: Any) -> Iterator[Names]:
    """The controller, which looks for changes ten times a second."""
    names = Names(ground, **others)
    loop: Loop[str, Any] = Loop(names, 0.1)
    names.start()
    loop.start()
    try:
        yield names
    finally:
        loop.stop(5)


def until(condition: Callable[[], Json], within_s: float = 20) -> Json:
    """Wait for it; what it gave."""
    end = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)
    return found


class Route53:
    """The API, as a customer calls it."""

    def __init__(self, ground: Ground) -> None:
        self.client = ground.api.client("route53", HOME)
        made = self.client.create_hosted_zone(Name="example.com", CallerReference="1")
        self.zone = made["HostedZone"]["Id"].removeprefix("/hostedzone/")

    def record(self, name: str, value: str = "", kind: str = "A", **more: Json) -> None:
        own = {"TTL": 30, "ResourceRecords": [{"Value": value}]} if value else {}
        change = {"Name": f"{name}example.com", "Type": kind, **own, **more}
        self.client.change_resource_record_sets(
            HostedZoneId=self.zone,
            ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": change}]},
        )

    def alias(self, name: str, target: str, zone: str = "", **more: Json) -> None:
        to = {"HostedZoneId": zone or self.zone, "DNSName": target, "EvaluateTargetHealth": True}
        self.record(name, AliasTarget=to, **more)

    def check(self, kind: str, **more: Json) -> str:
        plain = {} if kind in ("CALCULATED", "CLOUDWATCH_METRIC") else {"RequestInterval": 10, "FailureThreshold": 3}
        made = self.client.create_health_check(
            CallerReference=str(time.monotonic_ns()), HealthCheckConfig={"Type": kind, **plain, **more}
        )
        return str(made["HealthCheck"]["Id"])


def balancer(ground: Ground, region: str, name: str = "orders") -> tuple[str, str]:
    """A load balancer with one target; its ARN and its name."""
    client = ground.api.client("elbv2", region)
    made = client.create_load_balancer(Name=name, Subnets=[])["LoadBalancers"][0]
    group = client.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId="vpc-1")["TargetGroups"][0]
    client.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}],
    )
    client.register_targets(TargetGroupArn=group["TargetGroupArn"], Targets=[{"Id": "i-1"}])
    return made["LoadBalancerArn"], made["DNSName"]


def test_each_coast_gets_its_own_balancer_by_udp_and_tcp_and_by_client_subnet(grounds: Grounds) -> None:
    ground = grounds("names", pace=FAST)
    route53 = Route53(ground)
    with running(ground) as names:
        for region in (HOME, STANDBY):
            _, dns_name = balancer(ground, region)
            route53.alias("nearest.", dns_name, "ZELB", SetIdentifier=region, Region=region)
        route53.alias("", "nearest.example.com")
        addresses = {
            region: ground.addresses.of(balancer_name(region, arn))
            for region in (HOME, STANDBY)
            for arn in [
                ground.api.client("elbv2", region).describe_load_balancers()["LoadBalancers"][0]["LoadBalancerArn"]
            ]
        }
        until(lambda: names.public_name == "example.com")
        for region in (HOME, STANDBY):
            assert names.resolve("example.com", region) == ((addresses[region],), FAST.ttl(60))
            stranger = Resolver(ground.addresses.resolver)
            users = Subnet(str(ground.addresses.users(region)[0]), 24)
            told = stranger.ask("example.com", "A", users)
            assert (told.lines[0].value, told.scope) == (addresses[region], 24)
            query = packets.write_question("example.com", "A", users)
            assert stranger.by_tcp(query).lines == told.lines
            host, _, port = names.resolver_of(region).partition(":")
            instances = Resolver(host, port=int(port)).addresses_of("example.com")
            assert instances.addresses == (addresses[region],), "instances ask the resolver of their region"
        route53.client.change_resource_record_sets(
            HostedZoneId=route53.zone,
            ChangeBatch={
                "Changes": [
                    {
                        "Action": "DELETE",
                        "ResourceRecordSet": {
                            "Name": "example.com",
                            "Type": "A",
                            "AliasTarget": {
                                "HostedZoneId": route53.zone,
                                "DNSName": "nearest.example.com",
                                "EvaluateTargetHealth": True,
                            },
                        },
                    }
                ]
            },
        )
        until(lambda: not names.resolve("example.com", HOME).addresses)


def test_a_balancer_without_a_healthy_target_is_left(grounds: Grounds) -> None:
    ground = grounds("names", pace=FAST)
    route53 = Route53(ground)
    with running(ground) as names:
        _, home = balancer(ground, HOME)
        _, standby = balancer(ground, STANDBY)
        route53.alias("", home, "ZELB", SetIdentifier="p", Failover="PRIMARY")
        route53.alias("", standby, "ZELB", SetIdentifier="s", Failover="SECONDARY")
        until(lambda: names.world.zones)
        first = until(lambda: names.resolve("example.com", HOME).addresses)
        elb = ground.api.client("elbv2", HOME)
        group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
        elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "i-1"}])
        until(lambda: names.resolve("example.com", HOME).addresses != first)
        assert names.resolve("example.com", HOME) == names.resolve(standby, HOME)


def test_a_check_follows_its_endpoint_and_the_witness_follows_the_check_at_once(grounds: Grounds) -> None:
    ground = grounds("names", pace=QUICK)
    route53 = Route53(ground)
    with Endpoint() as endpoint, running(ground) as names:
        where = {"IPAddress": "127.0.0.1", "Port": endpoint.port, "ResourcePath": "/switch"}
        switch = route53.check("HTTP_STR_MATCH", SearchString="on:2;", Inverted=True, **where)
        up = route53.check("HTTP", **where)
        both = route53.check("CALCULATED", ChildHealthChecks=[switch, up], HealthThreshold=2)
        off = {"Failover": "PRIMARY", "SetIdentifier": "p", "HealthCheckId": switch}
        route53.record("witness.", '"epoch=1"', "TXT", **off)
        route53.record("witness.", '"epoch=2 region=us-west-2"', "TXT", Failover="SECONDARY", SetIdentifier="s")
        resolver = Resolver(ground.addresses.resolver)

        def witness() -> str:
            return " ".join(line.value for line in resolver.ask("witness.example.com", "TXT").lines)

        until(lambda: names.statuses.get(switch) is True)
        until(lambda: "epoch=1" in witness())
        assert names.statuses == {switch: True, up: True, both: True}
        endpoint.answer = reply(200, b"on:2;")
        until(lambda: names.statuses[switch] is False)
        assert witness() == '"epoch=2 region=us-west-2"', "no reading of the API lies between"
        assert names.statuses == {switch: False, up: True, both: False}
        endpoint.answer = reply(503)
        until(lambda: names.statuses == {switch: True, up: False, both: False})
        endpoint.answer = reply(200)
        until(lambda: names.statuses == {switch: True, up: True, both: True})
        assert len(set(endpoint.sources)) == 3, "each checker has its own address"


def test_deploys_wait_for_settled_checks_ends_by_what_the_api_answers(grounds: Grounds) -> None:
    ground = grounds("names", pace=QUICK)
    route53 = Route53(ground)
    with Endpoint() as endpoint, running(ground):
        endpoint.answer = reply(500)
        where = {"IPAddress": "127.0.0.1", "Port": endpoint.port}
        down = Probed(route53.check("HTTP", **where), "Down", 3, inverted=False)
        inverted = Probed(route53.check("TCP", Inverted=True, **where), "Inverted", 3, inverted=True)
        watch(ground.api._session, HOME, [down, inverted], 30)
        assert (down.healthy, inverted.healthy) == (False, False)
        observed = route53.client.get_health_check_status(HealthCheckId=down.id)["HealthCheckObservations"]
        assert len(observed) == 3
        assert observed[0]["StatusReport"]["Status"] == "Failure: HTTP Status Code 500, Internal Server Error."
        assert observed[0]["IPAddress"].startswith("127.")
        reasons = route53.client.get_health_check_last_failure_reason(HealthCheckId=down.id)["HealthCheckObservations"]
        assert {item["Region"] for item in reasons} == {item["Region"] for item in observed}
        calculated = route53.check("CALCULATED", ChildHealthChecks=[down.id], HealthThreshold=1)
        with pytest.raises(ClientError, match="InvalidInput"):
            route53.client.get_health_check_status(HealthCheckId=calculated)
        with pytest.raises(ClientError, match="NoSuchHealthCheck"):
            route53.client.get_health_check_status(HealthCheckId="none")


def test_without_a_data_plane_nobody_says_what_nobody_saw(grounds: Grounds) -> None:
    ground = grounds()
    route53 = Route53(ground)
    check = route53.check("HTTP", IPAddress="127.0.0.1", Port=80)
    with pytest.raises(ClientError, match="InvalidInput"):
        route53.client.get_health_check_status(HealthCheckId=check)


def test_checkers_find_balancers_by_name_and_are_kept_out_by_what_keeps_out_the_internet(grounds: Grounds) -> None:
    ground = grounds("names", pace=QUICK)
    route53 = Route53(ground)
    arn, dns_name = balancer(ground, HOME)
    address = ground.addresses.of(balancer_name(HOME, arn))
    asked: list[tuple[str, str, int]] = []
    open_: list[bool] = [True]

    def admits(source: str, destination: str, port: int) -> Verdict:
        asked.append((source, destination, port))
        return Verdict(open_[0], "as the test says")

    authority = (ground.authority, ground.home.certificates)
    with Endpoint(address, 10443, authority) as endpoint, running(ground, admits=admits) as names:
        check = route53.check("HTTPS", FullyQualifiedDomainName=dns_name, Port=443, EnableSNI=True)
        gone = route53.check("HTTPS", FullyQualifiedDomainName=f"gone-{dns_name}", Port=443)
        until(lambda: endpoint.requests)
        assert endpoint.names[0] == dns_name
        assert f"Host: {dns_name}\r\n".encode() in endpoint.asked
        assert asked[0] == (INTERNET, balancer_name(HOME, arn), 443)
        until(lambda: names.statuses.get(gone) is False)
        assert names.statuses[check] is True
        open_[0] = False
        until(lambda: names.statuses[check] is False)

        def reasons() -> list[str]:
            told = route53.client.get_health_check_last_failure_reason(HealthCheckId=check)["HealthCheckObservations"]
            return [item["StatusReport"]["Status"] for item in told]

        assert "The connection timed out" in until(reasons)[0], "a firewall says nothing"


def test_alarm_checks_follow_the_metric_with_the_settings_of_their_creation(grounds: Grounds) -> None:
    ground = grounds("names", pace=QUICK)
    route53 = Route53(ground)
    cloudwatch = ground.api.client("cloudwatch", STANDBY)
    value: list[Literal["OK", "ALARM", "INSUFFICIENT_DATA"]] = ["OK"]
    asked: list[tuple[str, Json]] = []

    def alarm(threshold: float) -> None:
        cloudwatch.put_metric_alarm(
            AlarmName="full",
            Namespace="AWS/AutoScaling",
            MetricName="GroupInServiceInstances",
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": "orders"}],
            Statistic="Minimum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=threshold,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
        )

    def state(region: str, record: Json) -> Literal["OK", "ALARM", "INSUFFICIENT_DATA"]:
        asked.append((region, record))
        return value[0]

    alarm(6)
    with running(ground, alarm_state=state) as names:
        identifier = {"Name": "full", "Region": STANDBY}
        by_alarm = {"AlarmIdentifier": identifier}
        healthy = route53.check("CLOUDWATCH_METRIC", InsufficientDataHealthStatus="Healthy", **by_alarm)
        last = route53.check("CLOUDWATCH_METRIC", InsufficientDataHealthStatus="LastKnownStatus", **by_alarm)
        inverted = route53.check(
            "CLOUDWATCH_METRIC", InsufficientDataHealthStatus="Unhealthy", Inverted=True, **by_alarm
        )
        until(lambda: names.statuses == {healthy: True, last: True, inverted: False})
        value[0] = "ALARM"
        until(lambda: names.statuses == {healthy: False, last: False, inverted: True})
        value[0] = "INSUFFICIENT_DATA"
        until(lambda: names.statuses == {healthy: True, last: False, inverted: True})
        cloudwatch.set_alarm_state(AlarmName="full", StateValue="OK", StateReason="somebody says so")
        alarm(4)
        seen = len(asked)
        until(lambda: len(asked) > seen + 6)
        region, record = asked[-1]
        assert (region, record["MetricName"], float(record["Threshold"])) == (STANDBY, "GroupInServiceInstances", 6)
        assert names.statuses[last] is False, "it reads the metric, not the alarm's state"
        route53.client.update_health_check(HealthCheckId=last, AlarmIdentifier=identifier)
        until(lambda: any(float(record["Threshold"]) == 4 for _, record in asked[seen:]))


def test_a_restart_forgets_no_status_not_even_for_a_moment() -> None:
    from bicoastal.twin.ground import ground as make  # noqa: PLC0415 - two lives of one folder

    folder = Path(tempfile.mkdtemp(prefix="bicoastal-twin-"))
    folder.chmod(0o755)
    try:
        with make(folder, ("names",), (HOME, STANDBY), QUICK) as ground, Endpoint() as endpoint:
            route53 = Route53(ground)
            check = route53.check("TCP", IPAddress="127.0.0.1", Port=endpoint.port, Inverted=True)
            endpoint.stop()
            with running(ground) as names:
                until(lambda: names.statuses.get(check) is True)
                until(lambda: _reported(ground) == {check: True})
        with make(folder, ("names",), (HOME, STANDBY), Pace("slow", 0.001)) as ground:
            names = Names(ground)
            names.start()
            for key, read in names.observe().items():
                names.converge(key, read)
            assert names.statuses == {check: True}, "a new inverted check would be unhealthy"
            names.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reported(ground: Ground) -> Json:
    return ground.api.report("route53.everything", HOME, regions=[])["statuses"]


def test_test_dns_answer_says_what_the_server_says(grounds: Grounds) -> None:
    ground = grounds("names", pace=QUICK)
    route53 = Route53(ground)
    with Endpoint() as endpoint, running(ground) as names:
        for region in (HOME, STANDBY):
            _, dns_name = balancer(ground, region)
            route53.alias("", dns_name, "ZELB", SetIdentifier=region, Region=region)
        check = route53.check("TCP", IPAddress="127.0.0.1", Port=endpoint.port)
        route53.record("f.", "1.1.1.1", SetIdentifier="p", Failover="PRIMARY", HealthCheckId=check)
        route53.record("f.", "1.1.1.2", SetIdentifier="s", Failover="SECONDARY")

        def asked(name: str, kind: str = "A", **more: Json) -> Json:
            return route53.client.test_dns_answer(HostedZoneId=route53.zone, RecordName=name, RecordType=kind, **more)

        until(lambda: names.world.zones)
        until(lambda: names.resolve("example.com", STANDBY).addresses)
        for region in (HOME, STANDBY):
            expected = list(names.resolve("example.com", region).addresses)
            place = {"EDNS0ClientSubnetIP": str(ground.addresses.users(region)[9]), "ResolverIP": "127.0.0.1"}
            until(partial(lambda at, told: asked("example.com", **at)["RecordData"] == told, place, expected))
        assert asked("f.example.com")["RecordData"] == ["1.1.1.1"]
        assert asked("f.example.com", "AAAA")["RecordData"] == []
        assert asked("nothing.example.com")["ResponseCode"] == "NXDOMAIN"
        assert asked("example.com", "SOA")["RecordData"][0].startswith("ns-1.")
        endpoint.stop()
        until(lambda: asked("f.example.com")["RecordData"] == ["1.1.1.2"])
        with pytest.raises(ClientError, match="NoSuchHostedZone"):
            route53.client.test_dns_answer(HostedZoneId="ZNONE", RecordName="x", RecordType="A")


def test_checks_and_answers_go_on_while_route_53s_api_fails(grounds: Grounds) -> None:
    ground = grounds("names", pace=QUICK)
    route53 = Route53(ground)
    with Endpoint() as endpoint, running(ground) as names:
        check = route53.check("TCP", IPAddress="127.0.0.1", Port=endpoint.port)
        route53.record("f.", "1.1.1.1", SetIdentifier="p", Failover="PRIMARY", HealthCheckId=check)
        route53.record("f.", "1.1.1.2", SetIdentifier="s", Failover="SECONDARY")
        until(lambda: len(names.world.zones) == 1 and "f.example.com." in names.world.zones[0].names)
        until(lambda: check in names.statuses)
        assert names.resolve("f.example.com", HOME).addresses == ("1.1.1.1",)
        ask(ground.api.endpoint, "faults", [{"kind": "refuse", "service": "route53"}])
        endpoint.stop()
        until(lambda: names.resolve("f.example.com", HOME).addresses == ("1.1.1.2",))
        until(lambda: _reported(ground) == {check: False})


def test_a_lost_region_has_no_resolver_and_users_have_theirs(grounds: Grounds) -> None:
    ground = grounds("names", pace=FAST)
    route53 = Route53(ground)
    route53.record("www.", "1.1.1.1")
    with running(ground) as names:
        until(lambda: names.world.zones)
        host, _, _ = names.resolver_of(HOME).partition(":")
        home, standby = Resolver(host), Resolver(names.resolver_of(STANDBY).partition(":")[0])
        for how in ("refuse", "black-hole"):
            names.lose(HOME, how)
            with pytest.raises(SystemFault, match="nobody answers"):
                home.addresses_of("www.example.com", within_s=0.5)
            assert standby.addresses_of("www.example.com").addresses == ("1.1.1.1",)
            assert names.resolve("www.example.com", HOME).addresses == ("1.1.1.1",), "users have resolvers of their own"
            names.recover(HOME)
        assert home.addresses_of("www.example.com").addresses == ("1.1.1.1",)


def test_large_answers_come_by_tcp_and_others_are_refused(grounds: Grounds) -> None:
    ground = grounds("names")
    route53 = Route53(ground)
    for number in range(12):
        text = f"{number:03}" * 60
        route53.client.change_resource_record_sets(
            HostedZoneId=route53.zone,
            ChangeBatch={
                "Changes": [
                    {
                        "Action": "UPSERT",
                        "ResourceRecordSet": {
                            "Name": "large.example.com",
                            "Type": "TXT",
                            "TTL": 30,
                            "ResourceRecords": [{"Value": f'"{n:03}{text}"'} for n in range(number + 1)],
                        },
                    }
                ]
            },
        )
    with running(ground) as names:
        until(lambda: names.world.zones)
        resolver = Resolver(ground.addresses.resolver)
        assert len(resolver.ask("large.example.com", "TXT").lines) == 12
        assert resolver.ask("large.example.com", "A").code == "NOERROR"
        assert resolver.ask("www.example.org", "A").code == "REFUSED", "nothing is forwarded to the internet"
        assert resolver.ask("rds.us-east-1.amazonaws.com", "A").code == "NXDOMAIN"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
            door.settimeout(10)
            door.connect((ground.addresses.resolver, 10053))
            door.send(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\xff")
            assert door.recv(512)[3] & 0x0F == 1, "FORMERR"


def test_a_taken_address_is_said_in_one_line(grounds: Grounds) -> None:
    ground = grounds("names")
    with socket.create_server((ground.addresses.resolver, 10053)):
        names = Names(ground, admits_everything, without_metrics)
        with pytest.raises(SystemFault, match="cannot be listened on"):
            names.start()
        names.stop()


def test_dig_is_answered(grounds: Grounds) -> None:
    dig = shutil.which("dig")
    if dig is None:
        pytest.skip("dig is not installed")
    ground = grounds("names")
    Route53(ground).record("www.", "1.1.1.1")
    with running(ground) as names:
        until(lambda: names.world.zones)
        command = [dig, f"@{ground.addresses.resolver}", "-p", "10053", "+short", "www.example.com"]
        assert subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout == "1.1.1.1\n"
