"""What is wrong across fields, against real specs as text, with the words that a user reads."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bicoastal.blueprint import ports
from bicoastal.core.errors import InputError
from bicoastal.kit import environment
from bicoastal.spec.checks import MOST_TAGS, RESERVED_PORTS, RESERVED_VARIABLES, problems
from bicoastal.spec.load import loads
from bicoastal.spec.model import Spec

SMALLEST: dict[str, Any] = {
    "name": "orders",
    "cost_center": "4711",
    "domain": "orders.example.com",
    "app": {"command": "./server"},
}
HOME = {"role": "home", "cidr": "10.1.0.0/16"}
STANDBY = {"role": "standby", "cidr": "10.2.0.0/16"}


def said(**changes: Any) -> list[str]:
    """What a spec with these fields is refused with, each as `field: title -> remedy`; empty if it is right."""
    try:
        loads(json.dumps({**SMALLEST, **changes}))
    except InputError as error:
        return [
            f"{'.'.join(str(step) for step in finding.location.path)}: {finding.title} -> {finding.remedy}"
            for finding in error.findings
        ]
    return []


def test_the_default_spec_is_right() -> None:
    assert said() == []
    assert said(regions={"us-east-1": HOME, "us-west-2": STANDBY}) == []


def test_two_regions_of_two_roles() -> None:
    remedy = "Declare two, one `role: home` and one `role: standby`, or leave `regions` out for the default pair."
    assert said(regions={"us-east-1": HOME}) == [
        f"regions: one region only: surviving the loss of one takes two, no more -> {remedy}"
    ]
    assert said(regions={}) == [f"regions: no region: surviving the loss of one takes two, no more -> {remedy}"]
    third = {"role": "standby", "cidr": "10.3.0.0/16"}
    assert said(regions={"us-east-1": HOME, "us-west-2": STANDBY, "eu-west-1": third}) == [
        f"regions: 3 regions: surviving the loss of one takes two, no more -> {remedy}"
    ]
    assert said(regions={"us-east-1": HOME, "us-west-2": {**STANDBY, "role": "home"}}) == [
        "regions.us-west-2.role: both regions are `home` -> Write `role: standby` in `us-east-1` or `us-west-2`."
    ]


def test_regions_that_aws_does_not_have() -> None:
    assert said(regions={"us-east-1": HOME, "us-west-3": STANDBY}) == [
        "regions.us-west-3: there is no such AWS region -> Did you mean `us-west-2` (US West (Oregon))?"
    ]
    assert said(regions={"oregon!": STANDBY, "us-east-1": HOME})[0].startswith("regions.oregon!: there is no such AWS")


@pytest.mark.parametrize(
    ("home", "standby", "message"),
    [
        ("10.1.0.0/16", "10.1.64.0/20", "10.1.64.0/20 overlaps 10.1.0.0/16 of us-east-1 -> Give each region "
         "addresses of its own: peered networks cannot overlap."),
        ("10.1.0.0/16", "10.2.0.0/23", "/23 is too small for three subnets in each zone -> "
         "Write a prefix from /16 to /22."),
        ("10.1.0.0/16", "11.0.0.0/16", "11.0.0.0/16 is not a private range: its real owners could not be reached -> "
         "Take it from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10."),
        ("10.1.0.0/16", "172.16.0.0/12", "/12 is more than a VPC takes -> Write a prefix from /16 to /22."),
    ],
)  # fmt: skip
def test_networks(home: str, standby: str, message: str) -> None:
    regions = {"us-east-1": {**HOME, "cidr": home}, "us-west-2": {**STANDBY, "cidr": standby}}
    assert said(regions=regions) == [f"regions.us-west-2.cidr: {message}"]


def test_thresholds_are_in_order_and_not_zero() -> None:
    def region(**fields: Any) -> list[str]:
        return said(regions={"us-east-1": {**HOME, **fields}, "us-west-2": STANDBY})

    assert region(scaling={"requests_per_minute": 0}) == [
        "regions.us-east-1.scaling.requests_per_minute: 0 is too small -> Write 2 or more."
    ]
    assert region(scaling={"cpu_percent": -5}) == [
        "regions.us-east-1.scaling.cpu_percent: -5 is too small -> Write 2 or more."
    ]
    assert region(scaling={"memory_percent": 0}) == [
        "regions.us-east-1.scaling.memory_percent: 0 is too small -> Write 1 or more."
    ]
    assert region(scaling={"requests_per_minute": 600}, at_capacity={"requests_per_minute": 600}) == [
        "regions.us-east-1.at_capacity.requests_per_minute: 600 is not above the scale-out threshold (600): users "
        "would leave before the fleet grows -> Write more than 600, such as 1200."
    ]
    assert said(instances={"min": 7, "max": 6}) == [
        "instances.min: min (7) is above max (6) -> Write 6 or less, or raise `max`."
    ]


def test_types_that_do_not_exist_or_not_there() -> None:
    assert said(instances={"type": "t3.mikro"}) == [
        "instances.type: there is no 't3.mikro' -> Did you mean `t3.micro` or `t3a.micro` or `t2.micro`?"
    ]
    assert said(instances={"type": "large"})[0].startswith("instances.type: there is no 'large' -> ")
    assert said(database={"instance_class": "t4g.medium"})[0].startswith(
        "database.instance_class: there is no 't4g.medium' -> Did you mean `db.t4g.medium`"
    )
    regions = {"us-east-1": HOME, "ap-southeast-7": STANDBY}
    assert said(instances={"type": "t2.micro"}, regions=regions) == [
        "instances.type: ap-southeast-7 does not offer t2.micro -> "
        "Write one that both regions offer, or choose another region."
    ]


def test_postgresql_versions() -> None:
    assert said(database={"engine_version": "17"}) == []
    assert said(database={"engine_version": "17.5"}) == []
    assert said(database={"engine_version": "17.99"}) == [], "a minor version may have come out since the list was made"
    assert said(database={"engine_version": "11"})[0].startswith(
        "database.engine_version: RDS offers no PostgreSQL 11 -> Write one of: "
    )
    assert said(database={"engine_version": "13"})[0].startswith(
        "database.engine_version: PostgreSQL 13 is too old: RDS backs up read replicas from 14 on -> Write one of: 14, "
    )
    assert said(database={"engine_version": "17.1"})[0].startswith(
        'database.engine_version: RDS offers no PostgreSQL 17.1 for new instances -> Write "17", or one of: 17.5, '
    )
    assert said(database={"storage_gib": 100, "max_storage_gib": 105}) == [
        "database.max_storage_gib: 105 leaves no room above storage_gib (100) -> "
        "Write 110 or more: RDS wants 10 % above the storage to begin with."
    ]


def test_residency() -> None:
    assert said(residency={"copies": ["us-west-2"]}) == []
    assert said(residency={"copies": ["us-west-2", "eu-west-1"]}) == [
        "residency.copies.1: 'eu-west-1' is not a declared region -> "
        "Write one of the declared regions: us-east-1, us-west-2."
    ]
    assert said(residency={"copies": ["us-east-1", "us-west-2", "us-west-2"]}) == [
        "residency.copies.0: us-east-1 is home: it holds the data itself, not a copy -> Remove it.",
        "residency.copies.2: us-west-2 is there twice -> Remove one of the two.",
    ]
    assert said(residency={"copies": []}) == [
        "residency.copies: the standby us-west-2 may not hold a copy: its read replica is one -> "
        "Add us-west-2, or leave `copies` out."
    ]


def test_logs_older_than_30_days_need_aggregation() -> None:
    assert said(logs={"retention_days": 60}) == [
        "logs.retention_days: 60 days without aggregation: logs stay in their region for 30 days at most -> "
        "Write 30 or less, or `aggregate: true`."
    ]
    assert said(logs={"retention_days": 60, "aggregate": True}) == []


def test_reserved_tags() -> None:
    assert said(tags={"aws:x": "y"}) == [
        "tags.aws:x: AWS keeps keys that begin with `aws:` for itself -> Write another key."
    ]
    assert said(tags={"Cost-Center": "1"}) == [
        "tags.Cost-Center: `cost-center` is set by Bicoastal -> Write the value at `cost_center:` and remove this key."
    ]
    assert said(tags={"team": "a", "Team": "b"}) == [
        "tags.Team: `Team` and `team` differ only in case, which IAM does not take -> Remove one of the two."
    ]
    assert said(failover_tags={"cost-center": "9", "state": "dr"}) == [], "failover may override tags (M10)"
    (locked,) = said(failover_tags={"environment": "dr"})
    assert "the rights to operate the deployment hang on this one" in locked
    assert said(failover_tags={"managed-by": "me"}) == [
        "failover_tags.managed-by: `managed-by` is set by Bicoastal -> Remove it, or write another key."
    ]
    assert said(tags={f"t{number}": "x" for number in range(MOST_TAGS)}) == []
    assert len(said(tags={f"t{number}": "x" for number in range(MOST_TAGS)}, failover_tags={"one-more": "x"})) == 1


def test_the_application() -> None:
    def app(**fields: Any) -> list[str]:
        return said(app={"command": "./server", **fields})

    assert app(environment={"PORT": "1"}) == ["app.environment.PORT: PORT is set by Bicoastal -> Write another name."]
    assert app(environment={"KEY": "1"}, secrets=["KEY"]) == [
        "app.secrets.0: KEY is in `environment` too -> Remove one of the two."
    ]
    assert app(secrets=["KEY", "KEY"]) == ["app.secrets.1: KEY is there twice -> Remove one of the two."]
    assert app(port=8099) == ["app.port: 8099 is taken by the closed read gate -> Write another port."]
    assert app(health_path="/.well-known/bicoastal/switch") == [
        "app.health_path: /.well-known/bicoastal is answered by the load balancer -> Write another path."
    ]
    assert app(health_path="/a/../b") == [
        "app.health_path: '/a/../b' is not a plain path -> Write it without `//`, `/./` and `/../`."
    ]
    assert app(health_path="healthz?x=1") == [
        "app.health_path: 'healthz?x=1' does not fit -> "
        "Write a path that begins with `/`, without query, such as `/healthz`."
    ]
    assert app(health_path="/" + "a" * 128) == ["app.health_path: 129 characters are too many -> Write at most 128."]
    assert app(release_command="") == ["app.release_command: '' does not fit -> Write a command on one line."]
    assert app(command="a\nb") == ["app.command: 'a\\nb' does not fit -> Write a command on one line."]
    assert app(folder="/srv/app") == [
        "app.folder: '/srv/app' does not fit -> Write a folder relative to this file, such as `app`."
    ]
    assert app(environment={"A": "x\ny"})[0].startswith("app.environment.A: a value cannot have line breaks")
    assert said(alerts=["a@example.com", "A@example.com"]) == [
        "alerts.1: A@example.com is there twice -> Remove one of the two."
    ]


def test_what_is_reserved_is_what_the_instance_sets() -> None:
    source = inspect.getsource(environment)
    names = set(re.findall(r'"([A-Z][A-Z_]+)": ', source))
    assert {"HOST", "PORT", "BICOASTAL_REGION", "DATABASE_URL"} <= names
    assert {name for name in names if not name.startswith("BICOASTAL_")} == set(RESERVED_VARIABLES)
    assert ports.GATE in RESERVED_PORTS


def window(**fields: Any) -> list[str]:
    return said(regions={"us-east-1": {**HOME, **fields}, "us-west-2": STANDBY})


@pytest.mark.parametrize(("start", "right"), [("06:59", True), ("07:00", False), ("08:29", False), ("08:30", True)])
def test_a_backup_keeps_an_hour_from_the_automated_backup(start: str, right: bool) -> None:
    messages = window(backup={"start": start}, database_backup_window="08:00-08:30")
    assert (messages == []) is right


def test_both_offsets_of_a_zone_count() -> None:
    # 02:30 in New York is 07:30 UTC in winter, in the hour before 08:00, and 06:30 UTC in summer.
    (winter,) = window(backup={"start": "02:30", "time_zone": "America/New_York"})
    assert winter == (
        "regions.us-east-1.backup.start: 02:30 in America/New_York is in the hour before, or during, "
        'database_backup_window 08:00-08:30 (UTC) -> Write another start, such as "04:30", or move the window.'
    )
    spec = {**SMALLEST, "regions": {"us-east-1": {**HOME, "backup": {"start": "00:30", "time_zone": "Asia/Tokyo"}}}}
    spec["regions"]["us-east-1"]["maintenance_window"] = "sun:15:00-sun:16:00"
    spec["regions"]["us-west-2"] = STANDBY
    with pytest.raises(InputError) as caught:
        loads(json.dumps(spec))
    assert caught.value.findings[0].detail == (
        "At UTC+09:00 Monday's backup starts on Sunday at 15:30 UTC; AWS Backup cannot start one then."
    )
    # 03:30 is 07:30 UTC in summer only.
    assert len(window(backup={"start": "03:30", "time_zone": "America/New_York"})) == 1
    assert window(backup={"start": "04:30", "time_zone": "America/New_York"}) == []
    assert window(backup={"start": "01:59", "time_zone": "America/New_York"}) == []


def test_weekdays_shift_between_local_time_and_utc() -> None:
    # Friday 20:30 in Los Angeles is Saturday 03:30 or 04:30 UTC; Sunday's local evening has no backup at all.
    def los_angeles(maintenance: str) -> list[str]:
        return window(backup={"start": "20:30", "time_zone": "America/Los_Angeles"}, maintenance_window=maintenance)

    assert len(los_angeles("sat:04:00-sat:05:00")) == 1
    assert los_angeles("mon:04:00-mon:05:00") == []
    assert los_angeles("sun:04:00-sun:05:00") == []
    # Monday 08:30 in Tokyo is Sunday 23:30 UTC.
    tokyo = {"start": "08:30", "time_zone": "Asia/Tokyo"}
    assert len(window(backup=tokyo, maintenance_window="sun:23:00-mon:00:00")) == 1
    assert window(backup=tokyo, maintenance_window="fri:23:00-sat:00:00") == []


def test_windows_of_rds_itself() -> None:
    assert window(database_backup_window="08:00-08:29") == [
        "regions.us-east-1.database_backup_window: 29 minutes are too short -> "
        "Write a window of 30 minutes or more: RDS takes no shorter one."
    ]
    assert window(maintenance_window="sun:09:30-sun:09:30")[0].startswith(
        "regions.us-east-1.maintenance_window: 0 minutes are too short"
    )
    overlap = window(database_backup_window="23:45-00:30", maintenance_window="sun:00:15-sun:01:00")
    assert overlap == [
        "regions.us-east-1.maintenance_window: sun:00:15-sun:01:00 overlaps the daily backup window 23:45-00:30 -> "
        "Move one of the two: RDS refuses windows that overlap."
    ]
    assert window(database_backup_window="23:45-00:15", maintenance_window="sun:00:15-sun:01:00") == []


def test_time_zones() -> None:
    assert window(backup={"time_zone": "America/New York"}) == [
        "regions.us-east-1.backup.time_zone: there is no time zone 'America/New York' -> "
        "Did you mean `America/New_York`?"
    ]
    for name in ("America", "../../etc/passwd", "", "/etc/localtime", "x" * 300, "\u0000"):
        assert window(backup={"time_zone": name})[0].startswith("regions.us-east-1.backup.time_zone: there is no time")


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 1439),
    st.sampled_from(
        ["UTC", "America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Australia/Lord_Howe", "Asia/Tokyo"]
    ),
    st.integers(0, 1439),
)
def test_what_is_offered_instead_is_right(start: int, zone: str, automated: int) -> None:
    def clock(minute: int) -> str:
        return f"{minute // 60 % 24:02d}:{minute % 60:02d}"

    fields = {"database_backup_window": f"{clock(automated)}-{clock(automated + 30)}"}
    fields["maintenance_window"] = f"sun:{clock(automated + 90)}-sun:{clock(automated + 120)}"
    if automated + 120 >= 1440:
        fields["maintenance_window"] = "sun:03:00-sun:03:30" if automated > 300 else "sun:12:00-sun:12:30"
    messages = window(backup={"start": clock(start), "time_zone": zone}, **fields)
    for message in messages:
        offered = message.split('such as "')[1].split('"')[0]
        assert window(backup={"start": offered, "time_zone": zone}, **fields) == []


def test_checks_change_nothing_and_can_be_asked_directly() -> None:
    spec: Spec = loads(json.dumps(SMALLEST))
    assert problems(spec) == []
