"""CloudFormation watches alarms while it changes a stack and for a while afterwards, and goes back when one rings."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bicoastal.twin.cloud.process import Cloud
from tests.support.cloudformation import Account

REGION = "us-east-1"
PACE = 60.0
"""A minute of watching lasts a second here."""
DEADLINE_S = 20.0
Json = Any
_numbers = itertools.count()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder: Path = tmp_path_factory.mktemp("watched")
    with Cloud(folder, pace_factor=PACE) as running:
        yield Account(running.endpoint)


class Watched:
    """A stack of topics, and an alarm beside it."""

    def __init__(self, account: Account) -> None:
        self.name = f"watched-{next(_numbers)}"
        self.cloudformation = account.client("cloudformation", REGION)
        self.sns = account.client("sns", REGION)
        self.cloudwatch = account.client("cloudwatch", REGION)
        self.cloudwatch.put_metric_alarm(
            AlarmName=f"{self.name}-fails", Namespace="Test", MetricName=self.name, Statistic="Sum", Period=60,
            EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
            TreatMissingData="notBreaching",
        )  # fmt: skip
        self.alarm = f"arn:aws:cloudwatch:{REGION}:{self.account_id(account)}:alarm:{self.name}-fails"
        self.cloudformation.create_stack(StackName=self.name, TemplateBody=self.template("One"))
        assert self.settled() == "CREATE_COMPLETE"

    @staticmethod
    def account_id(account: Account) -> str:
        return str(account.client("sts", REGION).get_caller_identity()["Account"])

    def template(self, *topics: str) -> str:
        return json.dumps({"Resources": {name: {"Type": "AWS::SNS::Topic"} for name in topics}})

    def configuration(self, minutes: int = 0, **trigger: str) -> Json:
        one = {"Arn": self.alarm, "Type": "AWS::CloudWatch::Alarm", **trigger}
        return {"RollbackTriggers": [one], "MonitoringTimeInMinutes": minutes}

    def change(self, *topics: str, configuration: Json = None) -> str:
        """Execute a change set; returns its id."""
        said = {} if configuration is None else {"RollbackConfiguration": configuration}
        made = self.cloudformation.create_change_set(
            StackName=self.name, ChangeSetName=f"set-{next(_numbers)}", TemplateBody=self.template(*topics), **said
        )
        self.cloudformation.execute_change_set(ChangeSetName=made["Id"])
        return str(made["Id"])

    def ring(self, state: str = "ALARM") -> None:
        self.cloudwatch.set_alarm_state(AlarmName=f"{self.name}-fails", StateValue=state, StateReason="a test says so")

    def described(self) -> Json:
        return self.cloudformation.describe_stacks(StackName=self.name)["Stacks"][0]

    def settled(self) -> str:
        return str(until(self.name, lambda: not (now := self.described()["StackStatus"]).endswith("PROGRESS") and now))

    def events(self) -> list[Json]:
        """Oldest first."""
        return list(reversed(self.cloudformation.describe_stack_events(StackName=self.name)["StackEvents"]))

    def resources(self) -> set[str]:
        found = self.cloudformation.list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        return {item["LogicalResourceId"] for item in found}


def until(what: str, condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: still {found!r}"
        time.sleep(0.02)
    return found


@pytest.fixture
def stack(account: Account) -> Watched:
    return Watched(account)


def test_a_configuration_is_told_of_the_change_set_and_of_the_stack_and_kept(stack: Watched) -> None:
    assert stack.described()["RollbackConfiguration"] == {}
    wanted = stack.configuration()
    id_ = stack.change("One", "Two", configuration=wanted)
    assert stack.cloudformation.describe_change_set(ChangeSetName=id_)["RollbackConfiguration"] == wanted
    assert stack.settled() == "UPDATE_COMPLETE"
    assert stack.described()["RollbackConfiguration"] == wanted
    stack.change("One")
    assert stack.settled() == "UPDATE_COMPLETE"
    assert stack.described()["RollbackConfiguration"] == wanted
    stack.change("One", "Two", configuration={"RollbackTriggers": [], "MonitoringTimeInMinutes": 0})
    assert stack.settled() == "UPDATE_COMPLETE"
    assert stack.described()["RollbackConfiguration"] == {}


def test_a_quiet_alarm_lets_the_update_end_when_the_time_is_over(stack: Watched) -> None:
    began = time.monotonic()
    stack.change("One", "Two", configuration=stack.configuration(2))
    until("the new topic", lambda: "Two" in stack.resources())
    time.sleep(2 * 60 / PACE / 2)
    assert stack.described()["StackStatus"] == "UPDATE_IN_PROGRESS"
    assert stack.settled() == "UPDATE_COMPLETE"
    assert time.monotonic() - began >= 2 * 60 / PACE
    assert stack.resources() == {"One", "Two"}
    assert {event["LogicalResourceId"] for event in stack.events()} == {"One", "Two", stack.name}


def test_an_alarm_that_rings_while_the_stack_is_watched_takes_it_back(stack: Watched) -> None:
    before = {arn["TopicArn"] for arn in stack.sns.list_topics()["Topics"]}
    stack.change("Two", configuration=stack.configuration(60))
    until("the new topic", lambda: "Two" in stack.resources())
    stack.ring()
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.resources() == {"One"}
    assert {arn["TopicArn"] for arn in stack.sns.list_topics()["Topics"]} == before
    statuses = [event["ResourceStatus"] for event in stack.events() if event["LogicalResourceId"] == stack.name]
    assert statuses[-3:] == [
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    because = next(event for event in stack.events() if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS")
    assert stack.alarm in because["ResourceStatusReason"]
    assert not [event for event in stack.events() if event["ResourceStatus"].endswith("_FAILED")]
    assert {event["LogicalResourceId"] for event in stack.events()} == {"One", "Two", stack.name}


@pytest.mark.parametrize("state", ["ALARM", "gone"])
def test_an_alarm_that_rings_already_or_is_gone_fails_the_update_at_once(stack: Watched, state: str) -> None:
    if state == "gone":
        stack.cloudwatch.delete_alarms(AlarmNames=[f"{stack.name}-fails"])
    else:
        stack.ring()
    stack.change("One", "Two", configuration=stack.configuration(60))
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"
    assert stack.resources() == {"One"}


def test_insufficient_data_is_no_alarm(stack: Watched) -> None:
    stack.ring("INSUFFICIENT_DATA")
    stack.change("One", "Two", configuration=stack.configuration())
    assert stack.settled() == "UPDATE_COMPLETE"


def test_a_user_may_cancel_an_update_while_it_is_watched(stack: Watched) -> None:
    stack.change("One", "Two", configuration=stack.configuration(60))
    until("the new topic", lambda: "Two" in stack.resources())
    stack.cloudformation.cancel_update_stack(StackName=stack.name)
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"
    because = next(event for event in stack.events() if event["ResourceStatus"] == "UPDATE_ROLLBACK_IN_PROGRESS")
    assert because["ResourceStatusReason"] == "User Initiated"


def test_an_update_without_a_change_set_is_watched_too(stack: Watched) -> None:
    stack.ring()
    stack.cloudformation.update_stack(
        StackName=stack.name, TemplateBody=stack.template("One", "Two"), RollbackConfiguration=stack.configuration()
    )
    assert stack.settled() == "UPDATE_ROLLBACK_COMPLETE"


@pytest.mark.parametrize(
    ("minutes", "trigger", "words"),
    [
        (181, {}, "181 is not between 0 and 180"),
        (1, {"Type": "AWS::SNS::Topic"}, "is no type of a rollback trigger"),
        (1, {"Arn": "some-alarm"}, "is no ARN of an alarm"),
    ],
)
def test_what_no_configuration_can_be_is_refused(
    stack: Watched, minutes: int, trigger: dict[str, str], words: str
) -> None:
    with pytest.raises(ClientError, match=words):
        stack.change("One", "Two", configuration=stack.configuration(minutes, **trigger))
    six = {"RollbackTriggers": 6 * stack.configuration()["RollbackTriggers"]}
    with pytest.raises(ClientError, match="5 at most"):
        stack.change("One", "Two", configuration=six)
