"""A changed stack is watched by CloudFormation, region by region, and taken back by its alarm."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import Manifest, Watch
from bicoastal.deploy.deployment import Result, Wishes, deploy, plan
from bicoastal.deploy.moments import Began, End, Moment, Noted, Watched
from bicoastal.deploy.package import Package
from bicoastal.stacks.changes import Desired, discard, propose
from bicoastal.stacks.view import UNWATCHED, StackView, view
from bicoastal.twin.cloud.process import Cloud
from tests.deploy.conftest import until
from tests.support.small_deployment import HOME, STANDBY, SmallDeployment, template, topic

PACE = 60.0
"""A minute of watching lasts a second here."""
LONG = 180


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Cloud(tmp_path_factory.mktemp("cloud"), pace_factor=PACE) as running:
        endpoint = running.endpoint
        yield Session.at(endpoint.url, endpoint.access_key_id, endpoint.secret_access_key)


class Watching(SmallDeployment):
    """With a service in both regions: a version, and the alarm that takes a new one back."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        del self.database["Follows"]  # of no use here, and no type of the twin's
        self.session = session
        self.minutes = 1
        self.service = {"Version": self.version("one"), "Fails": self._alarm()}
        self.moments: list[Moment] = []

    def version(self, text: str) -> dict[str, Any]:
        return {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": text}}

    def _alarm(self) -> dict[str, Any]:
        return {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {
                "AlarmName": f"{self.name}-fails", "Namespace": self.name, "MetricName": "Errors", "Period": 60,
                "Statistic": "Sum", "EvaluationPeriods": 1, "Threshold": 1, "TreatMissingData": "notBreaching",
                "ComparisonOperator": "GreaterThanThreshold",
            },
        }  # fmt: skip

    @property
    def manifest(self) -> Manifest:
        base = super().manifest
        watch = Watch("Fails", ("Version",), self.minutes)
        services = [replace(self._entry("service", region, {}), watch=watch) for region in (HOME, STANDBY)]
        return replace(base, stacks=(*base.stacks, *services))

    @property
    def package(self) -> Package:
        base = super().package
        return replace(base, templates={**base.templates, "service.yaml": template(self.service)})

    def deploy(self) -> Result:
        self.moments.clear()
        return deploy(self.session, self.package, Wishes(), self.moments.append, threading.Event())

    def deploy_and(self, act: Callable[[], None], when: Callable[[], object]) -> Result:
        """Deploy, and act in the middle of it."""
        found: list[Result] = []
        deploying = threading.Thread(target=lambda: found.append(self.deploy()))
        deploying.start()
        try:
            until(when)
            act()
        finally:
            deploying.join(timeout=60)
        return found[0]

    def ring(self, region: str) -> None:
        self.session.client("cloudwatch", region).set_alarm_state(
            AlarmName=f"{self.name}-fails", StateValue="ALARM", StateReason="a test says so"
        )

    def stack(self, region: str) -> StackView:
        found = view(self.session, f"{self.name}-test-service", region)
        assert found is not None
        return found

    def watched(self, region: str) -> bool:
        return any(isinstance(moment, Watched) and moment.id == f"service/{region}" for moment in self.moments)

    def noted(self) -> str:
        return " ".join(f"{moment.id} {moment.text}" for moment in self.moments if isinstance(moment, Noted))


@pytest.fixture
def small(session: Session) -> Watching:
    made = Watching(session)
    first = made.deploy()
    assert first.exit_code == 0, [str(outcome.error) for outcome in first.outcomes.values() if outcome.error]
    assert not made.watched(HOME)
    return made


def test_a_new_version_is_watched_in_one_region_after_the_other(small: Watching) -> None:
    small.service["Version"] = small.version("two")
    assert small.deploy().exit_code == 0
    told = [
        (type(moment), moment.id) for moment in small.moments if isinstance(moment, Began | Watched)
        and moment.id.startswith("service/")
    ]  # fmt: skip
    assert told == [
        (kind, f"service/{region}") for region in (STANDBY, HOME) for kind in (Began, Watched)
    ]  # fmt: skip
    said = next(moment.text for moment in small.moments if isinstance(moment, Watched))
    assert said.startswith("changed, and watched for 1 min: until ")
    assert small.stack(HOME).watch.minutes == 1
    assert small.deploy().unchanged


def test_what_else_changes_is_not_watched_and_nothing_of_before_is_left(small: Watching) -> None:
    small.service["Version"] = small.version("two")
    small.deploy()
    small.minutes = LONG
    small.service["More"] = topic(f"{small.name}-more")
    assert small.deploy().exit_code == 0
    assert small.stack(HOME).watch == UNWATCHED


def test_an_operation_is_never_watched(small: Watching, session: Session) -> None:
    """CloudFormation would go on watching for what an earlier deployment asked."""
    small.service["Version"] = small.version("two")
    small.deploy()
    stack = small.stack(HOME)
    moved = replace(Desired.moved(stack), template_body=template({**small.service, "Version": small.version("three")}))
    proposal = propose(session, moved, stack)
    found = session.client("cloudformation", HOME).describe_change_set(ChangeSetName=proposal.id)
    assert found["RollbackConfiguration"] == {}
    discard(session, proposal)


def test_a_version_that_fails_is_taken_back_and_the_other_region_is_not_touched(small: Watching) -> None:
    old = small.package
    small.minutes = LONG
    small.service["Version"] = small.version("two")
    result = small.deploy_and(lambda: small.ring(STANDBY), lambda: small.watched(STANDBY))
    assert result.exit_code == 3
    assert result.outcomes[f"service/{HOME}"].end is End.SKIPPED
    told = str(result.outcomes[f"service/{STANDBY}"].error)
    assert f"First cause: the alarm {small.name}-fails rang while the change was watched: a test says so" in told
    text = small.package.templates["service.yaml"].splitlines()
    line = next(number for number, content in enumerate(text, 1) if '"Fails": {' in content)
    assert f"It is at service.yaml:{line}:" in told
    assert "Rolled back: " in told
    assert "regions differ" not in told
    assert f"service/{STANDBY} {small.name}-fails rings" in small.noted()
    assert plan(small.session, old, Wishes()).empty


def test_two_regions_that_differ_are_told(small: Watching) -> None:
    small.minutes = 2
    small.service["Version"] = small.version("two")
    result = small.deploy_and(lambda: small.ring(HOME), lambda: small.watched(HOME))
    assert result.exit_code == 3
    assert result.outcomes[f"service/{STANDBY}"].end is End.DONE
    told = str(result.outcomes[f"service/{HOME}"].error)
    assert f"service/{STANDBY} has been changed already: the regions differ." in told
    assert "deploy what was there before" in told
    left = plan(small.session, small.package, Wishes())
    assert [planned.entry.id for planned in left.stacks if not planned.empty] == [f"service/{HOME}"]


def test_an_alarm_that_rings_already_takes_nothing_back(small: Watching) -> None:
    """It rings for the version that is there: the one that mends it must get in."""
    small.minutes = LONG
    small.ring(HOME)
    small.ring(STANDBY)
    small.service["Version"] = small.version("two")
    assert small.deploy().exit_code == 0
    assert f"service/{HOME} is not watched: {small.name}-fails rings already" in small.noted()


def test_an_older_deployment_has_no_alarm_yet(session: Session) -> None:
    small = Watching(session)
    alarm = small.service.pop("Fails")
    small.minutes = LONG
    assert small.deploy().exit_code == 0
    small.service.update(Fails=alarm, Version=small.version("two"))
    assert small.deploy().exit_code == 0
    assert f"service/{HOME} is not watched: it has no Fails yet" in small.noted()
