"""The deployment's own documents, created by CloudFormation from its templates, run with their own roles."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloudformation import Walker, until
from tests.twin.automation.conftest import HOME, QUICK, Room, room_with
from tests.twin.automation.test_executions import ended, start, statuses

Json = Any
TAG = "bicoastal:emergency-access"
NAME = "orders-production"


@pytest.fixture(scope="module")
def standing() -> Iterator[tuple[Room, Walker]]:
    with room_with(f"access/{HOME}", f"bootstrap/{HOME}") as made:
        yield made


@pytest.fixture
def room(standing: tuple[Room, Walker]) -> Room:
    return standing[0]


def fleet_instance(room: Room) -> str:
    tags = {"application": "orders", "environment": "production", "aws:autoscaling:groupName": "fleet"}
    return room.launch(host=False, **tags)


def tag_of(room: Room, id_: str) -> str | None:
    filters = [{"Name": "resource-id", "Values": [id_]}, {"Name": "key", "Values": [TAG]}]
    found = room.client("ec2").describe_tags(Filters=filters)["Tags"]
    return str(found[0]["Value"]) if found else None


def opened(room: Room, instance: str, minutes: str = "5") -> str:
    reason = ["incident 4711: looking at it"]
    id_ = start(
        room, f"{NAME}-open-access", Parameters={"InstanceId": [instance], "Minutes": [minutes], "Reason": reason}
    )
    for _ in until("the tag"):
        if tag_of(room, instance):
            return id_
    raise AssertionError


def test_access_that_was_opened_ends_by_itself_with_its_sessions(room: Room) -> None:
    instance = fleet_instance(room)
    id_ = opened(room, instance)
    assert tag_of(room, instance) == id_
    ssm = room.client("ssm")
    session = ssm.start_session(Target=instance, DocumentName=f"{NAME}-emergency-session")["SessionId"]
    names = {item["Name"] for item in room.client("scheduler").list_schedules()["Schedules"]}
    assert {f"close-{id_}", f"untag-{id_}"} <= names
    execution = ended(room, id_)
    assert tag_of(room, instance) is None
    found = statuses(execution)
    assert {found[name] for name in ("Schedule", "SetTag", "StayOpen", "RemoveTag", "EndSessions")} == {"Success"}
    stayed = next(step for step in execution["StepExecutions"] if step["StepName"] == "StayOpen")
    lasted_s = (stayed["ExecutionEndTime"] - stayed["ExecutionStartTime"]).total_seconds()
    assert 0 <= lasted_s - QUICK.seconds(300) < 5
    past = ssm.describe_sessions(State="History", Filters=[{"key": "Target", "value": instance}])["Sessions"]
    assert [item["SessionId"] for item in past] == [session]
    # No group has this instance: the step that replaces it says so, and so the whole has not succeeded.
    assert (found["ReplaceInstance"], execution["AutomationExecutionStatus"]) == ("Failed", "Failed")


def test_cancelling_closes_at_once(room: Room) -> None:
    instance = fleet_instance(room)
    id_ = opened(room, instance, "60")
    room.client("ssm").stop_automation_execution(AutomationExecutionId=id_)
    execution = ended(room, id_)
    assert execution["AutomationExecutionStatus"] == "Cancelled"
    assert tag_of(room, instance) is None
    assert statuses(execution)["EndSessions"] == "Success"


def test_the_schedules_close_what_the_document_does_not_live_to_close(room: Room) -> None:
    """The document stops where it is, as if Systems Manager were ill; the schedules are EventBridge's."""
    instance = fleet_instance(room)
    id_ = opened(room, instance)
    ssm = room.client("ssm")
    ssm.stop_automation_execution(AutomationExecutionId=id_, Type="Complete")
    ended(room, id_)
    assert tag_of(room, instance) == id_
    for _ in until("the schedule"):
        if tag_of(room, instance) is None:
            break
    closed = [
        item
        for item in ssm.describe_automation_executions(
            Filters=[{"Key": "DocumentNamePrefix", "Values": [f"{NAME}-close-access"]}], MaxResults=50
        )["AutomationExecutionMetadataList"]
        if f"break-glass-timer-{HOME}" in item["ExecutedBy"]
    ]
    assert closed, "it was the close document that untagged, started by the timer's role"
    for _ in until("the schedules' end"):
        names = {item["Name"] for item in room.client("scheduler").list_schedules()["Schedules"]}
        if not {f"close-{id_}", f"untag-{id_}"} & names:
            break


def test_an_instance_of_another_kind_is_not_opened(room: Room) -> None:
    other = room.launch(host=False, application="other")
    parameters = {"InstanceId": [other], "Minutes": ["5"], "Reason": ["incident 4711: looking"]}
    execution = ended(room, start(room, f"{NAME}-open-access", Parameters=parameters))
    assert statuses(execution)["RequireFleetInstance"] == "Failed"
    assert statuses(execution)["SetTag"] == "Pending"
    with pytest.raises(ClientError, match="not one of the allowed values"):
        start(room, f"{NAME}-open-access", Parameters={**parameters, "Minutes": ["600"]})


def test_the_kit_s_documents_run_on_the_instance(room: Room) -> None:
    instance = room.launch(application="orders", environment="production")
    ssm = room.client("ssm")
    for document, given in ((f"{NAME}-kit-status", {}), (f"{NAME}-kit-fence", {"Epoch": ["3"], "Reason": ["a test"]})):
        sent = ssm.send_command(DocumentName=document, InstanceIds=[instance], Parameters=given)["Command"]
        for _ in until("the command"):
            said = ssm.get_command_invocation(CommandId=sent["CommandId"], InstanceId=instance)
            if said["Status"] not in ("Pending", "InProgress"):
                break
        # The kit is not on this host: what its shell says of that shows that it was asked, by its whole command line.
        assert (said["Status"], said["PluginName"]) == ("Failed", "RunKit")
        assert "python3.11" in said["StandardErrorContent"] or "bicoastal" in said["StandardErrorContent"]
    with pytest.raises(ClientError, match="allowed pattern"):
        ssm.send_command(
            DocumentName=f"{NAME}-kit-fence", InstanceIds=[instance], Parameters={"Epoch": ["0"], "Reason": ["x"]}
        )


class Booting:
    """Stands in for the instance that the bootstrap launches: puts the outcome where its user data would."""

    def __init__(self, room: Room, bucket: str, outcome: str) -> None:
        self._room = room
        self._bucket = bucket
        self._outcome = outcome
        self.launched = ""
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Booting:
        self._before = set(self._instances())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)

    def _instances(self) -> list[str]:
        filters = [{"Name": "tag:Name", "Values": [f"{NAME}-bootstrap"]}]
        pages = self._room.account.client("ec2", HOME).describe_instances(Filters=filters)["Reservations"]
        return [item["InstanceId"] for page in pages for item in page["Instances"]]

    def _run(self) -> None:
        for _ in until("the launch"):
            found = set(self._instances()) - self._before
            if found:
                break
        (self.launched,) = found
        s3 = self._room.account.client("s3", HOME)
        s3.put_object(Bucket=self._bucket, Key=f"bootstrap/{self.launched}/outcome", Body=self._outcome.encode())


@pytest.mark.parametrize(
    ("outcome", "status"), [("succeeded\nall is well", "Success"), ("failed with exit code 1\nno such role", "Failed")]
)
def test_the_bootstrap_succeeds_only_if_its_instance_did(
    standing: tuple[Room, Walker], outcome: str, status: str
) -> None:
    room, walker = standing
    bucket = walker.outputs[f"foundation/{HOME}"]["ArtifactBucket"]
    with Booting(room, bucket, outcome) as booting:
        execution = ended(room, start(room, f"{NAME}-bootstrap"))
    assert execution["AutomationExecutionStatus"] == status, execution
    if status == "Failed":
        assert "no such role" in execution["FailureMessage"]
    assert statuses(execution)["Terminate"] == "Success"
    state = room.client("ec2").describe_instances(InstanceIds=[booting.launched])["Reservations"][0]["Instances"][0]
    assert state["State"]["Name"] == "terminated"


def responder(room: Room) -> Any:
    """Somebody with the rights of the responders' role, within its boundary. Assuming it would take MFA."""
    iam = room.client("iam")
    role = iam.get_role(RoleName=f"{NAME}-emergency-responder-{HOME}")["Role"]
    policy = iam.get_role_policy(RoleName=role["RoleName"], PolicyName="emergency-responder")["PolicyDocument"]
    iam.create_user(UserName="responder", PermissionsBoundary=role["PermissionsBoundary"]["PermissionsBoundaryArn"])
    iam.put_user_policy(UserName="responder", PolicyName="own", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="responder")["AccessKey"]
    credentials = {"AccessKeyId": key["AccessKeyId"], "SecretAccessKey": key["SecretAccessKey"], "SessionToken": ""}
    return room.ground.api.session(credentials)


def test_a_responder_gets_in_by_the_document_and_by_no_other_way(room: Room) -> None:
    mine = responder(room)
    ssm, instance = mine.client("ssm", HOME), fleet_instance(room)
    session = {"Target": instance, "DocumentName": f"{NAME}-emergency-session"}
    denied = "AccessDenied|UnauthorizedOperation"
    with pytest.raises(ClientError, match=denied):
        ssm.start_session(**session)
    with pytest.raises(ClientError, match=denied):
        mine.client("ec2", HOME).create_tags(Resources=[instance], Tags=[{"Key": TAG, "Value": "me"}])
    with pytest.raises(ClientError, match=denied):
        ssm.start_automation_execution(DocumentName=f"{NAME}-bootstrap")
    with pytest.raises(ClientError, match=denied):
        ssm.send_command(DocumentName="AWS-RunShellScript", InstanceIds=[instance], Parameters={"commands": ["id"]})
    parameters = {"InstanceId": [instance], "Minutes": ["60"], "Reason": ["incident 4711: looking at it"]}
    id_ = ssm.start_automation_execution(DocumentName=f"{NAME}-open-access", Parameters=parameters)[
        "AutomationExecutionId"
    ]
    for _ in until("the tag"):
        if tag_of(room, instance):
            break
    assert ssm.start_session(**session)["SessionId"].startswith("responder-")
    with pytest.raises(ClientError, match=denied):
        ssm.start_session(Target=instance)
    with pytest.raises(ClientError, match=denied):
        ssm.stop_automation_execution(AutomationExecutionId=id_)
    assert ssm.get_automation_execution(AutomationExecutionId=id_)["AutomationExecution"]["ExecutedBy"].endswith(
        ":user/responder"
    )
    closing = ssm.start_automation_execution(
        DocumentName=f"{NAME}-close-access", Parameters={"InstanceId": [instance]}
    )["AutomationExecutionId"]
    assert statuses(ended(room, closing))["RemoveTag"] == "Success"
    with pytest.raises(ClientError, match=denied):
        ssm.start_session(**session)
    room.client("ssm").stop_automation_execution(AutomationExecutionId=id_)
    ended(room, id_)
