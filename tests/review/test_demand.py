"""What a spec asks for, as rows read it."""

from bicoastal.review.demand import demand_of, two_region_web
from tests.support.specs import spec


def test_a_spec_is_a_demand() -> None:
    asked = demand_of(spec(tags={"team": "web"}, residency={"flows": []}, logs={"retention_days": 7}))
    assert asked.standby is not None
    assert (asked.home.name, asked.standby.name) == ("us-east-1", "us-west-2")
    assert asked.tags["team"] == "web"
    assert asked.tags["cost-center"] == "4711"
    assert (asked.writes_cross, asked.log_days, asked.copies) == (False, 7, ("us-west-2",))
    assert asked.standby.backup_time_zone == "America/Los_Angeles"
    assert asked.other("us-west-2") is asked.home


def test_the_profile_leaves_open_what_only_a_spec_knows() -> None:
    profile = two_region_web()
    assert (profile.instance_type, profile.fleet_min, profile.fleet_max, profile.log_days) == ("t3.micro", 2, 6, 30)
    assert profile.port is None
    assert profile.tags == {"cost-center": None, "environment": None}
