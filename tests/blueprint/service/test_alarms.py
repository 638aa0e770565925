"""Who is told of what: every alarm of the service reads a metric that exists, and reaches the region's topic."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.deployment import Resource, Stack
from bicoastal.cfn.manifest import Watch
from bicoastal.core.metric_math import Formula, Scope
from tests.support.deployed import deployed, of_type, plain, service
from tests.support.specs import spec

ALARM = "AWS::CloudWatch::Alarm"
UNTOLD = {"ScaleIn", "Quiet1", "Quiet2", "Quiet3", "Quiet4"}
"""Their usual state is ALARM: a quiet region is no news."""


def alarm(name: str, stack: Stack | None = None) -> Resource:
    return (stack or service(spec())).resources[name]


def test_every_alarm_tells_the_regions_own_topic_unless_it_is_usually_on() -> None:
    for region in ("us-east-1", "us-west-2"):
        for name, resource in of_type(service(spec(), region), ALARM).items():
            told = f"${{foundation/{region}/AlertTopic}}" in [str(item) for item in resource.items("AlarmActions")]
            assert told is (name not in UNTOLD), name


def test_alarm_names_are_unique_over_all_stacks_of_a_region() -> None:
    """Two alarms of one name are one alarm: the second stack would take the first one's, or fail."""
    for region in ("us-east-1", "us-west-2"):
        names = [
            plain(resource.get("AlarmName"))
            for stack in deployed(spec()).stacks.values()
            if stack.region == region
            for resource in of_type(stack, ALARM).values()
        ]
        assert sorted(names) == sorted(set(names))
        assert len(names) > 10


def test_every_alarm_says_how_missing_data_counts() -> None:
    for name, resource in of_type(service(spec()), ALARM).items():
        assert resource.get("TreatMissingData") in ("breaching", "notBreaching", "missing"), name


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("NoHealthyHosts", "breaching"),
        ("MemoryHigh", "breaching"),
        ("UnhealthyHosts", "notBreaching"),
        ("SlowResponses", "notBreaching"),
        ("CertificateExpiry", "missing"),
    ],
)
def test_silence_is_judged_one_by_one(name: str, missing: str) -> None:
    assert alarm(name).get("TreatMissingData") == missing


def test_dimensions_are_those_that_the_services_publish() -> None:
    """CloudWatch knows a metric by all of its dimensions: one more or less is another metric, without data."""
    expected: dict[str, Any] = {
        "AWS/ApplicationELB": {"TargetGroup", "LoadBalancer"},
        "AWS/AutoScaling": {"AutoScalingGroupName"},
        "AWS/EC2": {"AutoScalingGroupName"},
        "AWS/CertificateManager": {"CertificateArn"},
        "AWS/WAFV2": {"Region", "Rule", "WebACL"},
        "Bicoastal/orders-production": {"AutoScalingGroupName"},
    }
    seen = set()
    for resource in of_type(service(spec()), ALARM).values():
        if not resource.get("Namespace"):
            continue
        assert {item["Name"] for item in resource.items("Dimensions")} == expected[resource.get("Namespace")]
        seen.add(resource.get("Namespace"))
    assert seen == set(expected)


def test_the_web_acls_alarm_reads_the_web_acls_own_metric() -> None:
    stack = service(spec(), "us-west-2")
    dimensions = {item["Name"]: item["Value"] for item in alarm("BlockedRequests", stack).items("Dimensions")}
    metric = stack.resources["WebAcl"].get("VisibilityConfig", "MetricName")
    assert dimensions == {"Region": "us-west-2", "Rule": "ALL", "WebACL": metric}


def test_a_certificate_that_is_not_renewed_is_seen_a_month_before_its_end() -> None:
    expiry = alarm("CertificateExpiry")
    assert (expiry.get("MetricName"), expiry.get("Statistic"), expiry.get("Threshold")) == (
        "DaysToExpiry",
        "Minimum",
        30,
    )
    assert expiry.get("ComparisonOperator") == "LessThanThreshold"
    assert str(expiry.get("Dimensions", 0, "Value")) == "${service/us-east-1/Certificate}"


@pytest.mark.parametrize(
    ("requests", "dead", "wrong", "fails"),
    [
        (6000, 700, None, True),  # one of two servers dies, and two checks pass before nobody is sent to it
        (6000, 230, None, True),  # one of six
        (100, 10, None, True),  # the checkers of Route 53 alone ask
        (6000, 6, None, False),  # a connection closed at the wrong moment, now and then
        (6000, None, None, False),  # a rolling update, a scale-in: what leaves is drained
        (6000, None, 2400, False),  # a read-only standby, whose users write
        (6000, None, 5000, True),  # it answers its health path and nothing else
        (10, 9, None, False),
        (None, 500, None, False),  # nobody could be sent anywhere: another alarm's finding
    ],
)
def test_a_version_fails_when_its_servers_die_or_answer_by_errors(
    requests: int | None, dead: int | None, wrong: int | None, *, fails: bool
) -> None:
    found = alarm("VersionFails")
    seen = {"requests": requests, "dead": dead, "wrong": wrong}
    series = {name: {0: float(value)} if value is not None else {} for name, value in seen.items()}
    (verdict,) = (query["Expression"] for query in found.get("Metrics") if query.get("Expression"))
    points = Formula(verdict).over(Scope(lambda name: series[name], range(1), 60.0, tuple(series)))
    assert (points.get(0, 0.0) > found.get("Threshold")) is fails
    assert (found.get("EvaluationPeriods"), found.get("TreatMissingData")) == (1, "notBreaching")


def test_its_metrics_are_those_that_the_balancer_publishes() -> None:
    """The balancer's own answers are counted for the whole of it, the application's for its target group."""
    metrics = {
        query["Id"]: (
            query["MetricStat"]["Metric"]["MetricName"],
            sorted(item["Name"] for item in query["MetricStat"]["Metric"]["Dimensions"]),
        )
        for query in alarm("VersionFails").get("Metrics")
        if "MetricStat" in query
    }
    assert metrics == {
        "requests": ("RequestCount", ["LoadBalancer"]),
        "dead": ("HTTPCode_ELB_5XX_Count", ["LoadBalancer"]),
        "wrong": ("HTTPCode_Target_5XX_Count", ["LoadBalancer", "TargetGroup"]),
    }


def test_a_change_of_the_fleet_is_watched_as_long_as_the_spec_says() -> None:
    def watched(**app: Any) -> set[Watch]:
        entries = compose(spec(app={"command": "serve", **app})).manifest.stacks
        return {entry.watch for entry in entries if entry.watch is not None}

    assert watched() == {Watch("VersionFails", ("LaunchTemplate", "Fleet"), 15)}
    assert {watch.minutes for watch in watched(watch_minutes=180)} == {180}
    assert watched(watch_minutes=0) == set()


def test_failed_launches_of_this_fleet_are_told() -> None:
    (rule,) = of_type(service(spec()), "AWS::Events::Rule").values()
    pattern = rule.get("EventPattern")
    assert "EC2 Instance Launch Unsuccessful" in pattern["detail-type"]
    assert [str(item) for item in pattern["detail"]["AutoScalingGroupName"]] == ["${service/us-east-1/Fleet}"]
    assert [str(target["Arn"]) for target in rule.items("Targets")] == ["${foundation/us-east-1/AlertTopic}"]
