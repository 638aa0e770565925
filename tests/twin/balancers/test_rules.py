"""Rules, one by one and in their order, as a client meets them."""

from __future__ import annotations

import http.client
import time
from collections import Counter
from typing import Any

import pytest

from bicoastal.twin.addresses import reachable_port
from tests.twin.balancers.conftest import HOME, Bench, fixed, forward, until


def test_requests_reach_a_target_with_the_headers_that_alb_adds(bench: Bench) -> None:
    balancer = bench.balancer()
    server = bench.server("i-1")
    group = bench.group("app", "i-1")
    begun = time.monotonic()
    bench.listener(balancer, forward(group))
    bench.answers(balancer)
    assert time.monotonic() - begun < 5, "0.15 s on a machine with nothing else to do"
    bench.until_health(group, i_1="healthy")
    answer = bench.ask(balancer, "/page?x=1", X_Forwarded_For="203.0.113.9", X_Envoy_Retry_On="5xx")
    assert (answer.status, answer.body) == (200, "i-1")
    seen = server.seen[-1]
    assert seen["x-forwarded-for"].replace(" ", "") == "203.0.113.9,127.0.0.1"
    assert (seen["x-forwarded-proto"], seen["x-forwarded-port"]) == ("http", "10080")
    assert [name for name in seen if "envoy" in name or "bicoastal" in name] == []


def rule(bench: Bench, listener: str, priority: int, action: dict[str, Any], *conditions: dict[str, Any]) -> str:
    made = bench.elb.create_rule(ListenerArn=listener, Priority=priority, Conditions=list(conditions), Actions=[action])
    return str(made["Rules"][0]["RuleArn"])


def condition(field: str, config: str, *values: Any, **more: str) -> dict[str, Any]:
    return {"Field": field, config: {**more, "Values": list(values)}}


def path(*values: str) -> dict[str, Any]:
    return condition("path-pattern", "PathPatternConfig", *values)


def test_the_first_rule_by_priority_whose_conditions_all_hold_is_taken(bench: Bench) -> None:
    balancer = bench.balancer()
    listener = bench.listener(balancer, fixed("default", 404))
    rule(bench, listener, 50, fixed("later"), path("/a*"))
    rule(bench, listener, 10, fixed("exact"), path("/a/switch"))
    rule(bench, listener, 20, fixed("wild"), path("/a/?/*.png", "/img/*"))
    rule(bench, listener, 30, fixed("host"), condition("host-header", "HostHeaderConfig", "*.Example.com"))
    rule(
        bench,
        listener,
        40,
        fixed("both"),
        condition("http-header", "HttpHeaderConfig", "*gold*", HttpHeaderName="X-Tier"),
        condition("http-request-method", "HttpRequestMethodConfig", "POST", "PUT"),
    )
    query = condition("query-string", "QueryStringConfig", {"Key": "version", "Value": "v1*"}, {"Value": "beta"})
    rule(bench, listener, 60, fixed("query"), query)
    users = bench.ground.addresses.users("us-west-2")
    rule(bench, listener, 70, fixed("west"), condition("source-ip", "SourceIpConfig", str(users)))
    until(lambda: bench.answers(balancer, path="/a/switch").body == "exact", "the rules are there")
    until(lambda: bench.ask(balancer, source=str(users[7])).body == "west", "the last one, too")
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"path": "/a/switch"}, "exact"),
        ({"path": "/a/switch?x"}, "exact"),
        ({"path": "/a/Switch"}, "later"),
        ({"path": "/a/b/c.png"}, "wild"),
        ({"path": "/a/bb/c.png"}, "later"),
        ({"path": "/img/x"}, "wild"),
        ({"path": "/a.b"}, "later"),
        ({"Host": "shop.example.COM:10080"}, "host"),
        ({"Host": "example.com"}, "default"),
        ({"X_Tier": "Solid GOLD", "method": "POST"}, "both"),
        ({"X_Tier": "Solid GOLD"}, "default"),
        ({"path": "/?a=1&VERSION=v12"}, "query"),
        ({"path": "/?x=beta"}, "query"),
        ({"path": "/?xversion=v12"}, "default"),
        ({"path": "/?x=beta2"}, "default"),
        ({"path": "/version=v12"}, "default"),
    )
    for asked, wanted in cases:
        assert bench.ask(balancer, **asked).body == wanted, asked
    assert bench.ask(balancer).status == 404


def test_a_changed_rule_acts_within_a_blink_and_connections_live_on(bench: Bench) -> None:
    balancer = bench.balancer()
    bench.server("i-1")
    group = bench.group("app", "i-1")
    listener = bench.listener(balancer, forward(group))
    switch = rule(bench, listener, 1, fixed("off"), path("/.well-known/bicoastal/switch"))
    until(lambda: bench.answers(balancer, path="/.well-known/bicoastal/switch").body == "off", "the switch is there")
    bench.until_health(group, i_1="healthy")
    connection = http.client.HTTPConnection(bench.address(balancer), reachable_port(80), timeout=20)

    def said() -> str:
        connection.request("GET", "/.well-known/bicoastal/switch")
        return connection.getresponse().read().decode()

    assert said() == "off"
    mine = connection.sock
    took = []
    for number in range(6):
        wanted = f"on:{number}"
        bench.elb.modify_rule(RuleArn=switch, Actions=[fixed(wanted)])
        begun = time.monotonic()
        until(lambda wanted=wanted: said() == wanted, "the switch is on")  # type: ignore[misc]
        took.append(time.monotonic() - begun)
    assert connection.sock is mine, "the connection was not dropped"
    connection.close()
    assert sorted(took)[len(took) // 2] < 0.5, "11 ms on a machine with nothing else to do"


def test_priorities_are_exchanged_and_rules_go(bench: Bench) -> None:
    balancer = bench.balancer()
    listener = bench.listener(balancer, fixed("default"))
    first = rule(bench, listener, 1, fixed("first"), path("/*"))
    second = rule(bench, listener, 2, fixed("second"), path("/*"))
    until(lambda: bench.answers(balancer).body == "first", "the first")
    bench.elb.set_rule_priorities(
        RulePriorities=[{"RuleArn": first, "Priority": 2}, {"RuleArn": second, "Priority": 1}]
    )
    until(lambda: bench.ask(balancer).body == "second", "the other")
    bench.elb.delete_rule(RuleArn=first)
    bench.elb.delete_rule(RuleArn=second)
    until(lambda: bench.ask(balancer).body == "default", "none")
    bench.elb.modify_listener(ListenerArn=listener, DefaultActions=[fixed("changed")])
    until(lambda: bench.ask(balancer).body == "changed", "the default action")
    bench.elb.delete_load_balancer(LoadBalancerArn=balancer)
    until(lambda: (HOME, balancer) not in bench.balancers.running(), "the load balancer is gone")
    with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
        bench.ask(balancer)


def test_weights_share_the_requests_and_a_weight_of_none_gets_none(bench: Bench) -> None:
    balancer = bench.balancer()
    bench.server("i-1"), bench.server("i-2", 8099)
    one, other = bench.group("app", "i-1"), bench.group("gate", "i-2", port=8099)

    def shares(first: int, second: int) -> dict[str, Any]:
        groups = [{"TargetGroupArn": one, "Weight": first}, {"TargetGroupArn": other, "Weight": second}]
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}

    listener = bench.listener(balancer, shares(1, 0))
    bench.answers(balancer)
    bench.until_health(one, i_1="healthy")
    bench.until_health(other, i_2="healthy")
    assert {bench.ask(balancer).body for _ in range(20)} == {"i-1"}
    bench.elb.modify_listener(ListenerArn=listener, DefaultActions=[shares(0, 1)])
    until(lambda: bench.ask(balancer).body == "i-2", "the gate is closed")
    assert {bench.ask(balancer).body for _ in range(20)} == {"i-2"}
    bench.elb.modify_listener(ListenerArn=listener, DefaultActions=[shares(3, 1)])
    until(lambda: bench.ask(balancer).body == "i-1", "both get some")
    got = Counter(bench.ask(balancer).body for _ in range(200))
    assert 100 < got["i-1"] < 195, got


def test_a_client_stays_with_a_target_by_its_cookie(bench: Bench) -> None:
    balancer = bench.balancer()
    bench.server("i-1"), bench.server("i-2")
    group = bench.group("app", "i-1", "i-2")
    bench.elb.modify_target_group_attributes(
        TargetGroupArn=group,
        Attributes=[
            {"Key": "stickiness.enabled", "Value": "true"},
            {"Key": "stickiness.lb_cookie.duration_seconds", "Value": "600"},
        ],
    )
    bench.listener(balancer, forward(group))
    bench.answers(balancer)
    bench.until_health(group, i_1="healthy", i_2="healthy")
    first = until(lambda: (found := bench.ask(balancer)).headers.get("set-cookie") and found, "a cookie")
    cookie = first.headers["set-cookie"].partition(";")[0]
    assert cookie.startswith("AWSALB=")
    assert {bench.ask(balancer, Cookie=cookie).body for _ in range(20)} == {first.body}
    assert {bench.ask(balancer).body for _ in range(20)} == {"i-1", "i-2"}


@pytest.mark.parametrize(
    ("config", "location"),
    [
        ({"Protocol": "HTTPS", "Port": "443"}, "https://shop.example.com:10443/a/b?c=d"),
        ({"Protocol": "HTTPS", "Port": "443", "Host": "other.example.com"}, "https://other.example.com:10443/a/b?c=d"),
        ({"Path": "/new/#{path}"}, "http://shop.example.com:10080/new/a/b?c=d"),
        ({"Path": "/gone", "Query": "from=old"}, "http://shop.example.com:10080/gone?from=old"),
        ({"Port": "8080", "Path": "/gone"}, "http://shop.example.com:8080/gone?c=d"),
    ],
)
def test_a_redirect_leads_to_where_the_port_is_here(bench: Bench, config: dict[str, str], location: str) -> None:
    balancer = bench.balancer()
    bench.listener(balancer, {"Type": "redirect", "RedirectConfig": {"StatusCode": "HTTP_301", **config}})
    answer = bench.answers(balancer, path="/a/b?c=d", Host="shop.example.com:10080")
    assert (answer.status, answer.headers["location"]) == (301, location)
