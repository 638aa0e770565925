"""The deployment's own load balancers, in both regions, as its templates ask for them."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.twin.balancers import waf
from bicoastal.twin.interfaces import admits_everything
from bicoastal.twin.pace import FAST
from tests.support.cloudformation import Account, Walker
from tests.support.specs import spec
from tests.twin.balancers.conftest import Bench, start, until
from tests.twin.conftest import REGIONS

HOME, STANDBY = REGIONS
GATE = 8099


@pytest.fixture(scope="module")
def standing() -> Iterator[Bench]:
    made = compose(spec())
    with ExitStack() as stack:
        bench = start(stack, FAST, admits_everything)
        files = {f"templates/{one.kind}.yaml": one.to_yaml() for one in made.stacks}
        Walker(Account(bench.ground.api.endpoint), made.manifest, files).up()
        yield bench


def front(bench: Bench, region: str) -> str:
    """The load balancer of a region."""
    found = bench.ground.api.client("elbv2", region).describe_load_balancers()["LoadBalancers"][0]
    assert found["State"]["Code"] == "active"
    return str(found["LoadBalancerArn"])


def trusting(bench: Bench) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(bench.ground.authority.certificate))


@pytest.mark.parametrize("region", REGIONS)
def test_it_redirects_to_https_answers_the_switch_and_serves(standing: Bench, region: str) -> None:
    bench, balancer = standing, front(standing, region)
    elb = bench.ground.api.client("elbv2", region)
    moved = bench.answers(balancer, region=region, path="/orders?page=2", Host="orders.example.com:10080")
    assert (moved.status, moved.headers["location"]) == (301, "https://orders.example.com:10443/orders?page=2")

    def ask(path: str) -> tuple[int, str]:
        answer = bench.ask(balancer, path, region=region, port=443, tls=trusting(bench))
        assert "server" not in answer.headers
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        return answer.status, answer.body

    assert ask("/.well-known/bicoastal/switch") == (200, "off")
    groups = {item["Port"]: item["TargetGroupArn"] for item in elb.describe_target_groups()["TargetGroups"]}
    assert ask("/")[0] == 503, "there is no target yet"
    for port in groups:
        bench.server(f"i-{region}", port, region=region)
    for arn in groups.values():
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": f"i-{region}"}])
    until(lambda: ask("/") == (200, f"i-{region}"), "it serves")
    until(lambda: ask("/healthz")[0] == 200, "its health path, too")
    assert bench.loop.status.troubles == (), "Envoy took all of it"


def test_the_web_acl_s_own_rules_are_in_front(standing: Bench) -> None:
    watched = standing.balancers._running[HOME, front(standing, HOME)]
    desired = watched.running.desired
    assert desired is not None
    (rate,) = waf.filters(desired, FAST)
    entries = rate["typed_config"]["descriptors"][0]["entries"]
    assert [entry["key"] for entry in entries] == ["remote_address", "header_match"], "but for the switch's path"


def test_the_read_gate_and_the_switch_are_turned_by_the_api(standing: Bench) -> None:
    bench, balancer = standing, front(standing, STANDBY)
    elb = bench.ground.api.client("elbv2", STANDBY)
    listeners = elb.describe_listeners(LoadBalancerArn=balancer)["Listeners"]
    https = next(item["ListenerArn"] for item in listeners if item["Port"] == 443)
    rules = elb.describe_rules(ListenerArn=https)["Rules"]
    switch = next(item for item in rules if item["Priority"] == "1")
    action = {**switch["Actions"][0]["FixedResponseConfig"], "MessageBody": "on:7"}
    elb.modify_rule(RuleArn=switch["RuleArn"], Actions=[{"Type": "fixed-response", "FixedResponseConfig": action}])

    def said(path: str) -> str:
        return bench.ask(balancer, path, region=STANDBY, port=443, tls=trusting(bench)).body

    until(lambda: said("/.well-known/bicoastal/switch") == "on:7", "the switch is on")
    groups = {item["Port"]: item["TargetGroupArn"] for item in elb.describe_target_groups()["TargetGroups"]}
    gate = bench.server("i-gate", GATE, region=STANDBY)
    elb.register_targets(TargetGroupArn=groups[GATE], Targets=[{"Id": "i-gate"}])
    closed = [{"TargetGroupArn": arn, "Weight": int(port == GATE)} for port, arn in groups.items()]
    elb.modify_listener(
        ListenerArn=https, DefaultActions=[{"Type": "forward", "ForwardConfig": {"TargetGroups": closed}}]
    )
    until(lambda: said("/") == gate.name, "the kit answers in the application's place")
