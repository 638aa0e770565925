"""Every Automation document: it can go nowhere but where a step is, and its role holds exactly what its steps need."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bicoastal.cfn.deployment import Resource, Stack
from tests.support.automation import CANCELABLE, needed_actions, placeholders, steps, ways
from tests.support.deployed import deployed, of_type, plain
from tests.support.iam import actions_of
from tests.support.specs import spec

Json = Any
STACKS = deployed(spec()).stacks
DOCUMENTS = {
    f"{kind}/{name}": resource
    for kind in ("access", "bootstrap")
    for name, resource in of_type(STACKS[f"{kind}/us-east-1"], "AWS::SSM::Document").items()
    if resource.get("DocumentType") == "Automation"
}
_BUILT_IN = {"automation:EXECUTION_ID"}


def content(name: str) -> Json:
    return plain(DOCUMENTS[name].get("Content"))


def role_of(document: Resource) -> Resource:
    """The role that a document runs as, by the reference in its `assumeRole`."""
    stack: Stack = document.stack
    wanted = plain(document.get("Content", "assumeRole"))
    (role,) = [role for role in of_type(stack, "AWS::IAM::Role").values() if wanted == f"${{{role}.Arn}}"]
    return role


def policies(role: Resource) -> list[Json]:
    return [policy["PolicyDocument"] for policy in plain(role.get("Policies"))]


def test_there_are_four_and_each_was_read() -> None:
    assert sorted(DOCUMENTS) == [
        "access/CloseAccessDocument",
        "access/InRegionFailoverDocument",
        "access/OpenAccessDocument",
        "bootstrap/BootstrapDocument",
    ]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_steps_have_names_of_their_own_and_go_to_steps_that_are_there(name: str) -> None:
    names = [step["name"] for step in steps(content(name))]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[A-Za-z0-9_]{3,128}", step) for step in names)
    for step, exits in ways(content(name)).items():
        assert exits <= {*names, "Abort", "End"}, step


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_way_ends(name: str) -> None:
    """No loop: from each step the end is reached whatever fails."""
    graph = ways(content(name))

    def ends(step: str, seen: tuple[str, ...] = ()) -> bool:
        if step in ("End", "Abort"):
            return True
        return step not in seen and all(ends(after, (*seen, step)) for after in graph[step])

    assert all(ends(step) for step in graph)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_role_holds_exactly_what_the_steps_need(name: str) -> None:
    assert actions_of(policies(role_of(DOCUMENTS[name]))) == needed_actions(content(name))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_role_is_automations_of_this_account_and_bounded(name: str) -> None:
    role = role_of(DOCUMENTS[name])
    (statement,) = plain(role.get("AssumeRolePolicyDocument", "Statement"))
    assert statement["Principal"] == {"Service": "ssm.amazonaws.com"}
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "${AWS::AccountId}"}
    assert statement["Condition"]["ArnLike"]["aws:SourceArn"].startswith("arn:aws:ssm:us-east-1:")
    assert plain(role.get("PermissionsBoundary")) == "${foundation/us-east-1/Boundary}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_placeholders_are_parameters_or_outputs_of_earlier_steps(name: str) -> None:
    document = content(name)
    known = {*document["parameters"], *_BUILT_IN}
    for step in steps(document):
        assert placeholders(step["inputs"]) <= known, step["name"]
        known |= {f"{step['name']}.{output['Name']}" for output in step.get("outputs", [])}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_parameter_is_bounded(name: str) -> None:
    """What a caller gives ends up in API calls: a pattern or a list holds each."""
    for parameter, body in content(name)["parameters"].items():
        pattern = body.get("allowedPattern", "")
        assert body.get("allowedValues") or (pattern.startswith("^") and pattern.endswith("$")), parameter


@pytest.mark.parametrize("name", DOCUMENTS)
def test_whatever_waits_has_a_deadline(name: str) -> None:
    waiting = [
        step for step in steps(content(name)) if step["action"] in ("aws:waitForAwsResourceProperty", "aws:sleep")
    ]
    assert all(0 < step["timeoutSeconds"] <= 44_000 for step in waiting)


def test_the_instance_is_tagged_only_after_the_schedules_stand() -> None:
    document = content("access/OpenAccessDocument")
    names = [step["name"] for step in steps(document)]
    assert names == [
        "RequireFleetInstance",
        "Schedule",
        "SetTag",
        "StayOpen",
        "FindInstance",
        "IfThere",
        "RemoveTag",
        "EndSessions",
        "ReplaceInstance",
    ]
    graph = ways(document)
    for step in names[: names.index("SetTag")]:
        assert "Abort" in graph[step], "what fails before the tag is set ends the execution with nothing open"


def test_from_the_tag_on_every_exit_leads_through_untagging_unless_the_instance_is_gone() -> None:
    graph = ways(content("access/OpenAccessDocument"))
    assert graph["SetTag"] == {"StayOpen", "RemoveTag"}
    assert graph["StayOpen"] == {"FindInstance", "RemoveTag"}
    assert graph["FindInstance"] == {"IfThere", "RemoveTag", "Abort"}, "what cannot be found out is closed"
    assert graph["IfThere"] == {"RemoveTag", "End", "Abort"}
    assert graph["RemoveTag"] == {"EndSessions", "Abort"}, "a failure goes on; only a cancel ends it here"
    assert graph["EndSessions"] == {"ReplaceInstance", "Abort"}


@pytest.mark.parametrize("name", ["access/OpenAccessDocument", "access/CloseAccessDocument"])
def test_a_cancel_is_heeded_where_aws_documents_it(name: str) -> None:
    told = {step["action"] for step in steps(content(name)) if "onCancel" in step}
    assert told <= CANCELABLE


def test_the_timer_can_close_and_untag_and_nothing_else() -> None:
    timer = STACKS["access/us-east-1"].resources["BreakGlassTimerRole"]
    assert actions_of(policies(timer)) == {"ssm:StartAutomationExecution", "iam:PassRole", "ec2:DeleteTags"}


def test_minutes_are_chosen_from_a_list_that_ends_at_the_maximum() -> None:
    def choices(maximum: int) -> list[str]:
        stacks = deployed(spec(emergency={"max_minutes": maximum})).stacks
        document = stacks["access/us-west-2"].resources["OpenAccessDocument"]
        return list(plain(document.get("Content", "parameters", "Minutes", "allowedValues")))

    assert choices(60) == ["5", "10", "15", "30", "45", "60"]
    assert choices(100) == ["5", "10", "15", "30", "45", "60", "90", "100"]
    assert choices(5) == ["5"]


def test_the_failover_waits_for_the_standbys_zone_before_the_status() -> None:
    names = [step["name"] for step in steps(content("access/InRegionFailoverDocument"))]
    assert names == ["RequireMultiAz", "FindStandby", "FailOver", "AwaitPrimaryInStandbyZone", "AwaitAvailable"]


def test_the_bootstrap_ends_its_instance_however_it_goes() -> None:
    graph = ways(content("bootstrap/BootstrapDocument"))
    assert graph["AwaitOutcome"] == {"RequireSuccess", "Terminate"}
    assert graph["RequireSuccess"] == {"Terminate"}
    assert graph["Terminate"] == {"End", "Abort"}
