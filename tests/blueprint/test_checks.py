"""The health checks are such that Route 53 takes them, and say what they are there to say."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from bicoastal.blueprint.stacks import compose
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.manifest import FromOutput
from tests.support.regions import STANDBY, State, build, world
from tests.support.route53 import Json, check_states, resolved
from tests.support.specs import spec

CHECKS = build(spec()).checks.stack


def made() -> Json:
    return resolved(CHECKS, dict.fromkeys(CHECKS.document["Parameters"], "2"))


def test_no_calculated_check_has_a_calculated_child() -> None:
    for config in (check["HealthCheckConfig"] for check in made().values()):
        for child in config.get("ChildHealthChecks", ()):
            assert made()[child]["HealthCheckConfig"]["Type"] != "CALCULATED"


def test_endpoints_are_asked_every_ten_seconds_and_three_times() -> None:
    asked = [c["HealthCheckConfig"] for c in made().values() if c["HealthCheckConfig"]["Type"].startswith("HTTPS")]
    assert len(asked) == 4
    for config in asked:
        assert (config["RequestInterval"], config["FailureThreshold"], config["EnableSNI"]) == (10, 3, True)
        assert "MeasureLatency" not in config


def test_a_room_check_reads_the_standbys_alarm_and_takes_no_data_for_room() -> None:
    full_but_silent = State(at_maximum=True, quiet_slices=0)
    silent = replace(world(full_but_silent), alarms={})
    states = check_states(made(), silent)
    assert states["StandbyBelowMaximum"]
    assert all(states[f"StandbyRoom{slice_}"] for slice_ in range(1, 5))
    regions = {
        check["HealthCheckConfig"]["AlarmIdentifier"]["Region"]
        for check in made().values()
        if "AlarmIdentifier" in check["HealthCheckConfig"]
    }
    assert regions == {STANDBY}


def test_the_switch_is_asked_where_the_balancer_answers_it() -> None:
    service = next(stack for stack in compose(spec()).stacks if stack.kind == "service")
    rule = strip_comments(service.document)["Resources"]["SwitchRule"]["Properties"]
    (condition,) = rule["Conditions"]
    asked = {
        check["HealthCheckConfig"]["ResourcePath"]
        for check in made().values()
        if check["HealthCheckConfig"]["Type"] == "HTTPS_STR_MATCH"
    }
    assert asked == set(condition["PathPatternConfig"]["Values"])


def test_route_53_can_read_the_alarms_of_the_room_checks() -> None:
    """It reads the metric itself: no metric math, no M-of-N, no percentile, no high resolution, no composite alarm."""
    (service,) = (stack for stack in compose(spec()).stacks if stack.kind == "service")
    document = strip_comments(service.document)
    composed = next(stack for stack in compose(spec()).stacks if stack.kind == "checks")
    read = [
        document["Outputs"][source.output]["Value"]["Ref"]
        for source in composed.sources["us-east-1"].values()
        if isinstance(source, FromOutput) and source.output.endswith("Alarm")
    ]
    assert len(read) == 5
    for logical_id in read:
        alarm = document["Resources"][logical_id]
        properties = alarm["Properties"]
        assert alarm["Type"] == "AWS::CloudWatch::Alarm"
        assert not {"Metrics", "ExtendedStatistic", "EvaluateLowSampleCountPercentile"} & set(properties)
        assert properties.get("DatapointsToAlarm", properties["EvaluationPeriods"]) == properties["EvaluationPeriods"]
        assert properties["Statistic"] in ("Average", "Minimum", "Maximum", "Sum", "SampleCount")
        assert properties["Period"] >= 60


def test_an_alarm_that_a_room_check_reads_changes_its_name_with_its_definition() -> None:
    """A check keeps what it read of an alarm when it was made: under the old name it would go on with the old limit."""

    def names(**changes: Any) -> set[str]:
        (service,) = (stack for stack in compose(spec(**changes)).stacks if stack.kind == "service")
        alarms = [item for item in strip_comments(service.document)["Resources"].items() if item[0].startswith("Quiet")]
        return {json.dumps(item["Properties"]["AlarmName"]) for _, item in alarms}

    limited = {
        "us-east-1": {"role": "home", "cidr": "10.10.0.0/16"},
        "us-west-2": {"role": "standby", "cidr": "10.20.0.0/16", "at_capacity": {"requests_per_minute": 1300}},
    }
    assert len(names()) == 4
    assert not names() & names(regions=limited)
