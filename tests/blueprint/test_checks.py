"""The health checks are such that Route 53 takes them, and say what they are there to say."""

from __future__ import annotations

from dataclasses import replace

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
    assert all(states[f"StandbyRoom{slice_}"] for slice_ in range(1, 5))
    regions = {
        check["HealthCheckConfig"]["AlarmIdentifier"]["Region"]
        for check in made().values()
        if "AlarmIdentifier" in check["HealthCheckConfig"]
    }
    assert regions == {STANDBY}
