"""The entry to a region: where a request ends up, in every position of the switch and the read gate."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bicoastal.blueprint.checks import SWITCH_PATH
from bicoastal.blueprint.ports import GATE
from bicoastal.blueprint.service.balancer import GATE_HEALTH_PATH
from bicoastal.cfn.deployment import Resource, Stack
from bicoastal.cfn.manifest import Live
from bicoastal.core.errors import InputError
from tests.support.deployed import of_type, plain, service
from tests.support.specs import spec

ELB = "AWS::ElasticLoadBalancingV2::"


def attributes(resource: Resource) -> dict[str, Any]:
    for name in ("LoadBalancerAttributes", "TargetGroupAttributes", "ListenerAttributes"):
        if resource.items(name):
            return {item["Key"]: plain(item["Value"]) for item in resource.items(name)}
    return {}


def answer(stack: Stack, path: str) -> str:
    """What an HTTPS request gets: a fixed text, or the target group that it is forwarded to."""
    listener = stack.resources["HttpsListener"]
    rules = sorted(of_type(stack, f"{ELB}ListenerRule").values(), key=lambda rule: int(rule.get("Priority")))
    for rule in rules:
        assert rule.get("ListenerArn") == listener.reference
        (condition,) = rule.items("Conditions")
        if path in condition["PathPatternConfig"]["Values"]:
            return _done(rule.items("Actions")[0])
    return _done(listener.items("DefaultActions")[0])


def _done(action: dict[str, Any]) -> str:
    if action["Type"] == "fixed-response":
        config = action["FixedResponseConfig"]
        return f"{config['StatusCode']} {config['ContentType']} {config['MessageBody']}"
    if "TargetGroupArn" in action:
        return str(action["TargetGroupArn"].resource)
    weights = {item["TargetGroupArn"].resource: item["Weight"] for item in action["ForwardConfig"]["TargetGroups"]}
    (taken,) = [name for name, weight in weights.items() if weight]
    return str(taken)


@pytest.mark.parametrize(
    ("gate", "path", "expected"),
    [
        ("open", "/", "ApplicationTargets"),
        ("closed", "/", "GateTargets"),
        ("closed", "/orders/1", "GateTargets"),
        ("open", "/healthz", "ApplicationTargets"),
        ("closed", "/healthz", "ApplicationTargets"),
        ("open", SWITCH_PATH, "200 text/plain off"),
        ("closed", SWITCH_PATH, "200 text/plain off"),
    ],
)
def test_the_read_gate_turns_away_everything_but_health_and_switch(gate: str, path: str, expected: str) -> None:
    assert answer(service(spec(), ReadGate=gate), path) == expected


def test_the_switch_says_what_its_parameter_says() -> None:
    assert answer(service(spec(), "us-west-2", Switch="on:2;"), SWITCH_PATH) == "200 text/plain on:2;"


@pytest.mark.parametrize(
    ("text", "taken"),
    [("off", True), ("on:2;", True), ("on:12;", True), ("on:2", False), ("on:0;", False), ("on:", False), ("", False)],
)
def test_the_switch_takes_no_text_that_a_check_would_misread(text: str, taken: bool) -> None:
    pattern = service(spec()).template.section("Parameters")["Switch"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, text)) is taken


def test_switch_and_gate_are_kept_by_deploy() -> None:
    for region in ("us-east-1", "us-west-2"):
        sources = service(spec(), region).sources
        assert isinstance(sources["Switch"], Live)
        assert isinstance(sources["ReadGate"], Live)


def test_a_health_path_at_the_root_stays_in_front_of_the_gate() -> None:
    at_root = spec(app={"command": "run", "health_path": "/"})
    assert answer(service(at_root, ReadGate="closed"), "/") == "ApplicationTargets"
    assert answer(service(at_root, ReadGate="closed"), "/orders") == "GateTargets"


def test_plain_http_is_only_redirected() -> None:
    listener = service(spec()).resources["HttpListener"]
    (action,) = listener.items("DefaultActions")
    assert (listener.get("Port"), listener.get("Protocol"), action["Type"]) == (80, "HTTP", "redirect")
    redirect = action["RedirectConfig"]
    assert (redirect["Protocol"], redirect["Port"], redirect["StatusCode"]) == ("HTTPS", "443", "HTTP_301")
    assert (redirect["Host"], redirect["Path"], redirect["Query"]) == ("#{host}", "/#{path}", "#{query}")


def test_the_balancer_is_public_protected_and_logged() -> None:
    stack = service(spec())
    balancer = stack.resources["Balancer"]
    settings = attributes(balancer)
    assert balancer.get("Scheme") == "internet-facing"
    assert settings["deletion_protection.enabled"] == "true"
    assert settings["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert settings["access_logs.s3.enabled"] == "true"
    assert "AccessLogBucket" in settings["access_logs.s3.bucket"]
    assert 60 <= int(settings["client_keep_alive.seconds"]) <= 180, (
        "60 is AWS's least; a region is left within three minutes"
    )


def test_tls_is_current_and_still_spoken_by_health_checkers() -> None:
    listener = service(spec()).resources["HttpsListener"]
    assert re.fullmatch(r"ELBSecurityPolicy-TLS13-1-2-\S+", listener.get("SslPolicy")), "1.3, and 1.2 for Route 53"
    assert [item["CertificateArn"] for item in listener.items("Certificates")] == [
        service(spec()).resources["Certificate"].reference
    ]


@pytest.mark.parametrize("domain", ["orders.example.com", {"name": "shop.example.org", "zone_id": "Z0123456789ABC"}])
def test_the_certificate_holds_the_name_and_the_regions_names_validated_in_the_zone(domain: Any) -> None:
    certificate = service(spec(domain=domain)).resources["Certificate"]
    name = domain if isinstance(domain, str) else domain["name"]
    assert {certificate.get("DomainName"), *certificate.items("SubjectAlternativeNames")} == {name, f"*.{name}"}
    options = certificate.items("DomainValidationOptions")
    assert {item["DomainName"] for item in options} == {name, f"*.{name}"}
    zones = {plain(item["HostedZoneId"]) for item in options}
    assert zones == ({"Z0123456789ABC"} if isinstance(domain, dict) else {"${zone/us-east-1/HostedZone}"})


def test_targets_are_judged_within_ten_seconds_and_drained_before_they_go() -> None:
    targets = service(spec()).resources["ApplicationTargets"]
    seconds = targets.get("HealthCheckIntervalSeconds") * targets.get("UnhealthyThresholdCount")
    assert seconds <= 10
    assert targets.get("HealthCheckTimeoutSeconds") < targets.get("HealthCheckIntervalSeconds")
    assert targets.get("Matcher", "HttpCode") == "200", "a redirect or a 404 is no health"
    settings = attributes(targets)
    assert settings["load_balancing.algorithm.type"] == "least_outstanding_requests"
    assert "slow_start.duration_seconds" not in settings, "AWS refuses both together"
    assert 0 < int(settings["deregistration_delay.timeout_seconds"]) <= 60


def test_the_gate_is_asked_for_its_own_health_on_its_own_port_with_patience() -> None:
    gate = service(spec()).resources["GateTargets"]
    assert (gate.get("Port"), gate.get("HealthCheckPath")) == (GATE, GATE_HEALTH_PATH)
    assert gate.get("HealthCheckIntervalSeconds") * gate.get("UnhealthyThresholdCount") >= 300


def test_no_application_may_take_the_gates_port_or_the_balancers_paths() -> None:
    with pytest.raises(InputError, match=rf"app\.port: {GATE} is taken"):
        spec(app={"command": "run", "port": GATE})
    with pytest.raises(InputError, match=r"app\.health_path"):
        spec(app={"command": "run", "health_path": SWITCH_PATH})
