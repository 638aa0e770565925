"""In front of the API: every call is recorded, and a region, a service or an action fails as it was told to."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from bicoastal.twin.cloud.process import Cloud, ask
from tests.support.cloudformation import Account

HOME, STANDBY = "us-east-1", "us-west-2"


@pytest.fixture(autouse=True)
def lifted(cloud: Cloud) -> Iterator[None]:
    yield
    ask(cloud.endpoint, "faults", [])


def _fail(cloud: Cloud, **fault: Any) -> None:
    ask(cloud.endpoint, "faults", [fault])


def _last(cloud: Cloud) -> Any:
    return ask(cloud.endpoint, "calls?after=0")[-1]


def test_a_call_is_recorded_with_who_asked_what_where_and_what_came_of_it(cloud: Cloud, account: Account) -> None:
    account.client("rds", STANDBY).describe_db_instances()
    seen = _last(cloud)
    assert (seen["service"], seen["region"], seen["action"], seen["outcome"]) == (
        "rds",
        STANDBY,
        "DescribeDBInstances",
        "ok",
    )
    assert seen["access_key_id"] == cloud.endpoint.access_key_id
    with pytest.raises(ClientError):
        account.client("ssm", HOME).describe_document(Name="none")
    assert (_last(cloud)["action"], _last(cloud)["outcome"]) == ("DescribeDocument", "InvalidDocument")


@pytest.mark.parametrize(
    ("service", "call", "action"),
    [
        ("route53", "list_hosted_zones", "ListHostedZones"),
        ("s3", "list_buckets", "ListAllMyBuckets"),
        ("backup", "list_backup_vaults", "ListBackupVaults"),
        ("autoscaling", "describe_auto_scaling_groups", "DescribeAutoScalingGroups"),
        ("cloudwatch", "describe_alarms", "DescribeAlarms"),
        ("logs", "describe_log_groups", "DescribeLogGroups"),
        ("iam", "list_roles", "ListRoles"),
    ],
)
def test_every_protocol_tells_its_action(cloud: Cloud, account: Account, service: str, call: str, action: str) -> None:
    getattr(account.client(service, HOME), call)()
    assert _last(cloud)["action"] == action


def test_a_lost_region_refuses_and_the_other_answers(cloud: Cloud, account: Account) -> None:
    _fail(cloud, kind="refuse", region=HOME)
    with pytest.raises(ConnectionClosedError):
        account.client("ec2", HOME).describe_vpcs()
    assert _last(cloud)["outcome"] == "refuse"
    assert account.client("ec2", STANDBY).describe_vpcs()["Vpcs"]
    ask(cloud.endpoint, "faults", [])
    assert account.client("ec2", HOME).describe_vpcs()["Vpcs"]


def test_a_black_hole_answers_nobody_until_it_is_lifted(cloud: Cloud, account: Account) -> None:
    _fail(cloud, kind="hang", region=HOME, service="sns")
    ended: list[float] = []
    failures: list[type[Exception]] = []

    def caller() -> None:
        try:
            account.client("sns", HOME).list_topics()
        except ConnectionClosedError as error:
            failures.append(type(error))
        ended.append(time.monotonic())

    account.client("sns", STANDBY).list_topics()
    waiting = threading.Thread(target=caller)
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()
    lifted = time.monotonic()
    ask(cloud.endpoint, "faults", [])
    waiting.join(5)
    assert failures == [ConnectionClosedError]
    assert ended[0] >= lifted


def test_a_hang_of_a_given_time_ends_by_itself(cloud: Cloud, account: Account) -> None:
    _fail(cloud, kind="hang", service="sns", seconds=0.3)
    started = time.monotonic()
    with pytest.raises(ConnectionClosedError):
        account.client("sns", HOME).list_topics()
    assert 0.3 <= time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("ssm", "describe_parameters", "Throttling"),
        ("rds", "describe_db_instances", "Throttling"),
        ("ec2", "describe_vpcs", "Throttling"),
        ("s3", "list_buckets", "SlowDown"),
    ],
)
def test_throttling_is_told_as_each_service_tells_it(
    cloud: Cloud, account: Account, service: str, call: str, code: str
) -> None:
    _fail(cloud, kind="throttle", service=service)
    with pytest.raises(ClientError) as caught:
        getattr(account.client(service, HOME), call)()
    assert caught.value.response["Error"]["Code"] == code


def test_one_action_alone_fails(cloud: Cloud, account: Account) -> None:
    _fail(cloud, kind="unavailable", service="rds", action="Modify*")
    rds = account.client("rds", HOME)
    with pytest.raises(ClientError, match="ServiceUnavailable"):
        rds.modify_db_instance(DBInstanceIdentifier="none")
    assert rds.describe_db_instances()["DBInstances"] == []


def test_a_fault_that_does_not_exist_is_refused(cloud: Cloud) -> None:
    with pytest.raises(urllib.error.HTTPError, match="400"):
        _fail(cloud, kind="explode")


def test_the_admin_paths_need_the_token(cloud: Cloud) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{cloud.endpoint.url}/_twin/faults", timeout=5)


def test_a_slow_call_is_answered_late_and_others_are_not(cloud: Cloud, account: Account) -> None:
    _fail(cloud, kind="slow", service="sns", seconds=0.5)
    begun = time.monotonic()
    account.client("sqs").list_queues()
    assert time.monotonic() - begun < 0.5
    account.client("sns").list_topics()
    assert time.monotonic() - begun >= 0.5
    with pytest.raises(urllib.error.HTTPError):
        _fail(cloud, kind="slow")


def test_a_share_of_the_calls_fails_by_dice_whose_seed_is_given(cloud: Cloud, account: Account) -> None:
    def seen(seed: int) -> list[bool]:
        ask(cloud.endpoint, "faults", [])
        _fail(cloud, kind="throttle", service="sns", share=0.5, seed=seed)
        found = []
        for _ in range(24):
            try:
                account.client("sns", HOME).list_topics()
                found.append(True)
            except ClientError:
                found.append(False)
        return found

    one = seen(1)
    assert 4 < sum(one) < 20
    assert seen(1) == one, "the same calls meet the same faults"
    assert seen(2) != one


def test_a_share_that_is_none_is_refused(cloud: Cloud) -> None:
    with pytest.raises(urllib.error.HTTPError):
        _fail(cloud, kind="throttle", share=1.5)
