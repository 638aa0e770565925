"""What is measured of requests, and ALB's access log, with the web ACL in front."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from bicoastal.twin.balancers.routes import network
from bicoastal.twin.balancers.traffic import Log, rounded
from bicoastal.twin.interfaces import Measurement
from tests.twin.balancers.conftest import HOME, Bench, fixed, forward, until


def measured(bench: Bench, balancer: str) -> dict[tuple[str, tuple[str, ...]], list[Measurement]]:
    """By metric and names of dimensions, what is published of a load balancer now."""
    found = defaultdict(list)
    for item in bench.balancers.measurements():
        if item.dimensions.get("LoadBalancer", name_of(balancer)) == name_of(balancer):
            found[item.name, tuple(sorted(item.dimensions))].append(item)
    return found


def name_of(balancer: str) -> str:
    """Its full name."""
    return balancer.partition("loadbalancer/")[2]


def total(found: list[Measurement]) -> float:
    """The sum of data points, whichever form they have."""
    return sum(item.total if item.value is None else item.value for item in found)


def test_a_minute_is_measured_as_alb_does(bench: Bench) -> None:
    balancer = bench.balancer()
    server = bench.server("i-1")
    group = bench.group("app", "i-1", "i-2")
    listener = bench.listener(balancer, forward(group))
    path = [{"Field": "path-pattern", "Values": ["/fixed"]}]
    bench.elb.create_rule(ListenerArn=listener, Priority=1, Conditions=path, Actions=[fixed("no", 404)])
    bench.answers(balancer)
    bench.until_health(group, i_1="healthy", i_2="unhealthy")
    until(lambda: bench.ask(balancer, "/fixed").status == 404, "the rule is there")
    settle(bench, balancer)
    for _ in range(5):
        bench.ask(balancer)
    bench.ask(balancer, "/?status=503"), bench.ask(balancer, "/?status=302"), bench.ask(balancer, "/fixed")
    server.delay_s = 0.25
    bench.ask(balancer)
    server.delay_s = 0.0
    found: dict[tuple[str, tuple[str, ...]], list[Measurement]] = defaultdict(list)

    def collected() -> bool:
        for key, items in measured(bench, balancer).items():
            found[key] += items
        return total(found["RequestCount", ("LoadBalancer",)]) >= 8

    until(collected, "all of them are counted")
    whole, one = ("LoadBalancer",), ("LoadBalancer", "TargetGroup")
    for name, wanted in (
        ("RequestCount", 8),
        ("HTTPCode_Target_2XX_Count", 6),
        ("HTTPCode_Target_3XX_Count", 1),
        ("HTTPCode_Target_5XX_Count", 1),
    ):
        assert (total(found[name, whole]), total(found[name, one])) == (wanted, wanted), name
    assert total(found["HTTPCode_ELB_4XX_Count", whole]) == total(found["HTTP_Fixed_Response_Count", whole]) == 1
    assert ("HTTPCode_ELB_4XX_Count", one) not in found, "no target group has a part in it"
    assert total(found["RequestCountPerTarget", ("TargetGroup",)]) == 8, "one of its targets is healthy"
    assert total(found["RequestCountPerTarget", one]) == 8
    times = found["TargetResponseTime", one]
    assert sum(sum(item.values.values()) for item in times) == 8
    assert max(max(item.values) for item in times) >= 0.25
    assert {item.dimensions["TargetGroup"] for item in times} == {group.rpartition(":")[2]}
    for name in ("HealthyHostCount", "UnHealthyHostCount"):
        assert {(item.least, item.most) for item in found[name, one]} == {(1, 1)}
    assert ("HTTPCode_ELB_5XX_Count", whole) not in found


def settle(bench: Bench, balancer: str) -> None:
    """Until what was asked before is counted: what follows is a minute of its own."""
    until(lambda: ("HTTP_Fixed_Response_Count", ("LoadBalancer",)) in measured(bench, balancer), "it was counted")


def test_errors_of_the_load_balancer_are_its_own_and_silence_publishes_nothing(bench: Bench) -> None:
    balancer, group = bench.balancer(), bench.group("app", "i-9")
    bench.listener(balancer, forward(group))
    bench.until_health(group, i_9="unhealthy")
    assert bench.answers(balancer).status == 502
    found = until(
        lambda: (seen := measured(bench, balancer)) and ("HTTPCode_ELB_5XX_Count", ("LoadBalancer",)) in seen and seen,
        "the error is counted",
    )
    whole = ("LoadBalancer",)
    assert total(found["HTTPCode_ELB_502_Count", whole]) == total(found["TargetConnectionErrorCount", whole]) == 1
    assert ("HTTPCode_Target_5XX_Count", whole) not in found
    assert {name for name, _ in measured(bench, balancer)} <= {"HealthyHostCount", "UnHealthyHostCount"}


def test_requests_are_logged_in_the_bucket_as_alb_logs_them(bench: Bench) -> None:
    store = bench.ground.api.client("s3", HOME)
    store.create_bucket(Bucket="logs-of-the-balancer")
    balancer = bench.balancer()
    bench.elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer,
        Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"},
            {"Key": "access_logs.s3.bucket", "Value": "logs-of-the-balancer"},
            {"Key": "access_logs.s3.prefix", "Value": "front"},
        ],
    )
    bench.server("i-1")
    group = bench.group("app", "i-1")
    bench.listener(balancer, forward(group))
    bench.until_health(group, i_1="healthy")
    bench.answers(balancer, path="/page?x=1", User_Agent='an "odd" agent', Host="shop.example.com")
    until(lambda: ("RequestCount", ("LoadBalancer",)) in measured(bench, balancer), "it was read")
    watched = bench.balancers._running[HOME, balancer]
    desired = watched.running.desired
    assert desired is not None
    watched._access.ship(desired)
    listed = store.list_objects_v2(Bucket="logs-of-the-balancer")["Contents"]
    key = listed[0]["Key"]
    account = balancer.split(":")[4]
    day = time.strftime("%Y/%m/%d", time.gmtime())
    assert key.startswith(f"front/AWSLogs/{account}/elasticloadbalancing/{HOME}/{day}/{account}_elasticloadbalancing_")
    assert f"_{name_of(balancer).replace('/', '.')}_" in key
    lines = gzip.decompress(store.get_object(Bucket="logs-of-the-balancer", Key=key)["Body"].read()).decode()
    fields = shlex.split(next(line for line in lines.splitlines() if "/page" in line))
    assert fields[0] == "http"
    assert fields[2] == name_of(balancer)
    assert fields[4].endswith(":8080")
    assert fields[8:10] == ["200", "200"]
    assert fields[12] == "GET http://shop.example.com/page?x=1 HTTP/1.1"
    assert (fields[13], fields[16]) == ("an %22odd%22 agent", group)
    assert (fields[20], fields[22]) == ("0", "forward")
    assert all(float(value) >= 0 for value in fields[5:8])


def byte_match(field: dict[str, Any], placed: str, value: str) -> dict[str, Any]:
    """A statement."""
    return {
        "ByteMatchStatement": {
            "FieldToMatch": field,
            "PositionalConstraint": placed,
            "SearchString": value.encode(),
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
    }


def test_a_web_acl_allows_blocks_and_limits_in_its_order(bench: Bench) -> None:
    balancer = bench.balancer()
    bench.listener(balancer, fixed("in"))
    users = bench.ground.addresses.users("us-west-2")
    waf = bench.ground.api.client("wafv2", HOME)
    seen = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": True, "MetricName": "front"}
    banned = waf.create_ip_set(Name="banned", Scope="REGIONAL", IPAddressVersion="IPV4", Addresses=[f"{users[40]}/32"])[
        "Summary"
    ]["ARN"]
    path: dict[str, Any] = {"UriPath": {}}
    statements: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("switch", {"Allow": {}}, byte_match(path, "EXACTLY", "/switch")),
        ("banned", {"Block": {}}, {"IPSetReferenceStatement": {"ARN": banned}}),
        ("agent", {"Block": {}}, byte_match({"SingleHeader": {"Name": "User-Agent"}}, "CONTAINS", "bad")),
        (
            "rate",
            {"Block": {"CustomResponse": {"ResponseCode": 429}}},
            {"RateBasedStatement": {"Limit": 10, "EvaluationWindowSec": 600, "AggregateKeyType": "IP"}},
        ),
    ]
    rules = [
        {"Name": name, "Priority": number, "Action": action, "Statement": statement, "VisibilityConfig": seen}
        for number, (name, action, statement) in enumerate(statements)
    ]
    managed = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "AWSManagedRulesCommonRuleSet"}}
    rules.append(
        {"Name": "m", "Priority": 9, "OverrideAction": {"None": {}}, "Statement": managed, "VisibilityConfig": seen}
    )
    acl = waf.create_web_acl(
        Name="front", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=rules
    )["Summary"]["ARN"]
    waf.associate_web_acl(WebACLArn=acl, ResourceArn=balancer)
    bench.answers(balancer)
    until(lambda: bench.ask(balancer, User_Agent="a bad one", source=str(users[1])).status == 403, "it is in front")
    assert bench.ask(balancer, "/switch", User_Agent="a bad one").body == "in", "an earlier rule allows it"
    assert bench.ask(balancer, source=str(users[40])).status == 403
    codes = [bench.ask(balancer, source=str(users[2])).status for _ in range(12)]
    assert codes == [200] * 10 + [429] * 2
    assert bench.ask(balancer, source=str(users[3])).status == 200, "another address has a rate of its own"
    assert bench.ask(balancer, "/switch", source=str(users[2])).status == 200
    blocked = until(
        lambda: [item for item in bench.balancers.measurements() if item.name == "BlockedRequests"], "it is counted"
    )
    assert blocked[0].dimensions == {"Region": HOME, "Rule": "ALL", "WebACL": "front"}
    waf.disassociate_web_acl(ResourceArn=balancer)
    until(lambda: bench.ask(balancer, User_Agent="a bad one").body == "in", "it is gone")


def test_a_log_that_has_become_long_is_made_anew_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "requests.log"

    def write(first: int, last: int) -> None:
        with path.open("a") as file:
            file.writelines(json.dumps({"n": number, "pad": "x" * 1000}) + "\n" for number in range(first, last))

    reopened: list[int] = []
    log = Log(path, lambda: reopened.append(1))
    assert list(log.read()) == []
    write(0, 100)
    assert [record["n"] for record in log.read()] == list(range(100))
    assert log.waiting == 0
    write(100, 5000)
    with path.open("a") as file:
        file.write('{"n": 50')
    assert [record["n"] for record in log.read()] == list(range(100, 5000))
    assert reopened
    assert not list(tmp_path.iterdir()), "a new file is there with the next request"
    write(5001, 5010)
    assert [record["n"] for record in log.read()] == list(range(5001, 5010))


@pytest.mark.parametrize(("value", "kept"), [(0.0, 0.0), (0.001234, 0.0012), (0.0999, 0.1), (12.4, 12.0)])
def test_times_are_kept_to_two_digits(value: float, kept: float) -> None:
    assert rounded(value) == kept


@pytest.mark.parametrize(
    ("block", "inside", "outside"),
    [
        ("10.1.2.3/32", "10.1.2.3", "10.1.2.4"),
        ("10.0.0.0/8", "10.9.9.9", "11.0.0.0"),
        ("10.128.0.0/9", "10.200.1.1", "10.127.1.1"),
        ("192.168.4.0/22", "192.168.7.255", "192.168.8.0"),
        ("0.0.0.0/0", "1.2.3.4", "1.2.3"),
    ],
)
def test_networks_are_expressions(block: str, inside: str, outside: str) -> None:
    assert re.fullmatch(network(block), inside)
    assert not re.fullmatch(network(block), outside)
