"""Another application on a twin of its own, beside the sample's; it is operated by the runbook's lines, end to end."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.operate.transitions import Operation
from tests.support.by_hand import ByHand
from tests.support.mfa import person
from tests.support.running import EAST, WEST, Running, running, until
from tests.support.warm_aws import warm_aws
from tests.twin.whole.conftest import other_application
from tools.runbook import BREAK_GLASS_TITLE, IN_REGION_TITLE

NAME, PREFIX = "notes", "notes-production"
EMERGENCY_TAG = "bicoastal:emergency-access"
_GOING = ("CREATED", "PENDING", "RUNNING")


@pytest.fixture(scope="module")
def beside() -> Iterator[Running]:
    with running(other_application, "--pace", "fast") as made:
        yield made


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of whoever operates by hand: what he keeps from one section of the page to the next."""
    folder = tmp_path_factory.mktemp("by-hand")
    with warm_aws(folder):
        yield folder


def test_another_framework_runs_as_well(beside: Running) -> None:
    write(beside, WEST, "from the west")
    until("the note is in the east", lambda: beside.get(EAST).json == {"region": EAST, "notes": ["from the west"]})
    until("the note is in the west's replica", lambda: notes(beside, WEST) == ["from the west"])


def test_killed_without_warning_it_goes_on_with_every_row(beside: Running) -> None:
    write(beside, EAST, "before the kill")
    os.kill(beside.pid, signal.SIGKILL)
    until("nothing of it runs", lambda: beside.processes("") == [], 30)
    beside.up("--pace", "fast")
    assert "before the kill" in notes(beside, EAST)
    until("the west has it, too", lambda: "before the kill" in notes(beside, WEST))


def test_lines_move_the_primary_to_its_standby(beside: Running, desk: Path) -> None:
    write(beside, EAST, "in the first zone")
    operator = ByHand.at(beside, desk, NAME).with_rights("in-region", ("operator",), EAST)
    before = current(beside, EAST)
    operator.pastes(IN_REGION_TITLE, EAST)
    after = current(beside, EAST)
    assert (after["DBInstanceStatus"], after["AvailabilityZone"]) == ("available", before["SecondaryAvailabilityZone"])
    write(beside, EAST, "in the second zone")
    assert {"in the first zone", "in the second zone"} <= set(notes(beside, EAST))


def test_lines_open_an_instance_and_close_it(beside: Running, desk: Path) -> None:
    values = beside.environment
    root = Session.at(values["AWS_ENDPOINT_URL"], values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"])
    role = f"arn:aws:iam::111122223333:role/{PREFIX}-emergency-responder-{EAST}"
    credentials = person(values["AWS_ENDPOINT_URL"], root, "ben", role).assumes(role)
    instance = beside.in_service(EAST)[0]
    responder = ByHand.at(beside, desk, NAME, INSTANCE=instance, REASON="INC-43: slow, and nobody knows why")
    responder = responder.signed_in(credentials)
    said = responder.pastes(BREAK_GLASS_TITLE, EAST, blocks=slice(0, 1), typed="cat /opt/bicoastal/etc/kit.json\n")
    assert f'"region": "{EAST}"' in said, "a line was typed on the instance"
    assert tagged(beside, instance)
    responder.pastes(BREAK_GLASS_TITLE, EAST, blocks=slice(1, 2))
    assert not tagged(beside, instance)
    active = beside.client("ssm").describe_sessions(State="Active", Filters=[{"key": "Target", "value": instance}])
    assert active["Sessions"] == []
    healthy = {item["InstanceId"] for item in beside.fleet(EAST)["Instances"] if item["HealthStatus"] == "Healthy"}
    assert instance not in healthy, "it is replaced"


def tagged(beside: Running, instance: str) -> bool:
    filters = [{"Name": "resource-id", "Values": [instance]}, {"Name": "key", "Values": [EMERGENCY_TAG]}]
    return bool(beside.client("ec2").describe_tags(Filters=filters)["Tags"])


def test_lines_restore_beside_the_live_database(beside: Running, desk: Path) -> None:
    write(beside, EAST, "to be restored")
    count = len(notes(beside, EAST))
    back_up(beside)
    write(beside, EAST, "after the backup")
    restorer = ByHand.at(beside, desk, NAME).with_rights("restorer", ("operator", "restorer"), EAST)
    restorer.pastes(Operation.RESTORE, EAST, KEEP="yes")
    (note,) = (item for item in json.loads(restorer.kept("page.json"))["tables"] if item["table"] == "public.note")
    assert (note["restored"]["rows"], note["here"]["rows"]) == (count, count + 1)
    assert (note["restored_alone"], note["here_alone"]) == (0, 1)
    rds = beside.client("rds")
    (made,) = (item for item in instances(beside, EAST) if "restored-by-hand" in item["DBInstanceIdentifier"])
    live = current(beside, EAST)
    for name in ("VpcSecurityGroups", "DBParameterGroups", "KmsKeyId", "StorageEncrypted", "PubliclyAccessible"):
        assert made[name] == live[name], name
    tags = {tag["Key"] for tag in rds.list_tags_for_resource(ResourceName=made["DBInstanceArn"])["TagList"]}
    assert {"cost-center", "application", "data-class", "restored-from"} <= tags
    restorer.pastes(Operation.RESTORE, EAST, blocks=slice(3, 4), DATABASE=made["DBInstanceIdentifier"])
    until("it is deleted", lambda: made["DBInstanceIdentifier"] not in map(identifier, instances(beside, EAST)))


def back_up(beside: Running) -> None:
    """A recovery point of the primary, newer than any other."""
    backup = beside.client("backup")
    job = backup.start_backup_job(
        BackupVaultName=PREFIX,
        ResourceArn=current(beside, EAST)["DBInstanceArn"],
        IamRoleArn=beside.client("iam").get_role(RoleName=f"{PREFIX}-backup-{EAST}")["Role"]["Arn"],
        Lifecycle={"DeleteAfterDays": 35},
    )["BackupJobId"]
    until("the backup is over", lambda: backup.describe_backup_job(BackupJobId=job)["State"] not in _GOING)
    done = backup.describe_backup_job(BackupJobId=job)
    assert done["State"] == "COMPLETED", done.get("StatusMessage")


def test_lines_fail_over_rejoin_and_go_home(beside: Running, desk: Path) -> None:
    """One test, for each section begins where the former ended. Nothing of Bicoastal runs but what looks in between."""
    by_hand = ByHand.at(beside, desk, NAME, FAILOVER_TAGS="cost-center=911,mode=failover")
    survivor = by_hand.with_rights("survivor", ("operator", "failover-tags"), WEST)
    both = by_hand.with_rights("both", ("operator", "rejoin", "failover-tags"), EAST, WEST)
    write(beside, EAST, "before the loss")
    until("the west has it", lambda: "before the loss" in notes(beside, WEST))
    beside.fault("partition", region=EAST, other=WEST)
    write(beside, EAST, "never in the west")
    beside.fault("lose-region", region=EAST)

    survivor.pastes(Operation.FAILOVER, WEST)
    database = current(beside, WEST)
    assert not database.get("ReadReplicaSourceDBInstanceIdentifier")
    assert database["DBInstanceStatus"] == "available"
    assert {"cost-center": "911", "mode": "failover"}.items() <= tags_of(beside, database).items()
    until("the west's own database takes its rows", lambda: stored(beside, WEST, "alone"))
    assert "alone" in notes(beside, WEST)
    stacks = {kind: parameters(beside, kind) for kind in ("database", "service", "backup")}
    assert (stacks["database"]["DatabaseRole"], stacks["backup"]["DatabaseRole"]) == ("primary", "primary")
    assert (stacks["service"]["Switch"], stacks["service"]["ReadGate"]) == ("on:2;", "open")
    assert switch(beside, WEST) == "on:2;"

    beside.fault("undo")
    both.pastes(Operation.REJOIN, WEST)
    found = [item["row"]["text"] for item in json.loads(both.kept("diverged.json"))["rows"]]
    assert found == ["never in the west"]
    follows(beside, EAST, WEST)
    database = current(beside, WEST)
    assert "mode" not in tags_of(beside, database)
    assert tags_of(beside, database)["cost-center"] == "7"
    in_both(beside, ["before the loss", "alone"], without="never in the west")
    assert (switch(beside, EAST), switch(beside, WEST)) == ("off", "off")
    assert differing(beside) == [f"bootstrap/{EAST}"], "an operator may not change what reads every password"

    with Writer(beside, EAST) as writer:
        until("rows are acknowledged", lambda: len(writer.acknowledged) > 5)
        both.pastes(Operation.SWITCHOVER, EAST)
        count = len(writer.acknowledged)
        until("rows are acknowledged again", lambda: len(writer.acknowledged) > count + 5)
    assert not current(beside, EAST).get("ReadReplicaSourceDBInstanceIdentifier")
    assert set(writer.acknowledged) <= set(notes(beside, EAST))

    # As far as the next generation; Bicoastal, started then, goes on from there, and takes back what was done by hand.
    both.pastes(Operation.REJOIN, EAST, blocks=slice(0, 4))
    done = beside.bicoastal("rejoin", deadline_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    follows(beside, WEST, EAST)
    in_both(beside, ["before the loss", "alone", *writer.acknowledged], without="never in the west")
    assert differing(beside) == []
    until("status finds nothing wrong", lambda: beside.bicoastal("status", "--drift").returncode == 0)


class Writer:
    """Stores notes without a pause, and keeps those that were acknowledged."""

    def __init__(self, twin: Running, region: str) -> None:
        self.acknowledged: list[str] = []
        self._twin, self._region = twin, region
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def _write(self) -> None:
        number = 0
        while not self._stop.wait(0.1):
            number += 1
            text = f"during the switchover {number}"
            try:
                if stored(self._twin, self._region, text):
                    self.acknowledged.append(text)
            except OSError:
                continue


def stored(beside: Running, region: str, text: str) -> bool:
    return beside.ask(region, "POST", "/", body=text).status == 200


def write(beside: Running, region: str, text: str) -> None:
    until(f"{text!r} is stored", lambda: stored(beside, region, text))


def notes(beside: Running, region: str) -> list[str]:
    return [str(text) for text in beside.get(region).json["notes"]]


def in_both(beside: Running, wanted: list[str], *, without: str) -> None:
    """Rows are read on both coasts, each by its own servers, and a new one of either is in both."""
    for region in (EAST, WEST):
        until(f"{region} is served by itself", lambda region=region: beside.get(region).json["region"] == region)  # type: ignore[misc]
        write(beside, region, text := f"from {region} after {wanted[-1]}")
        for where in (EAST, WEST):
            until(
                f"all is in {where}",
                lambda where=where, text=text: {*wanted, text} <= set(notes(beside, where)),  # type: ignore[misc]
            )
            assert without not in notes(beside, where)


def instances(beside: Running, region: str) -> list[Any]:
    return list(beside.client("rds", region).describe_db_instances()["DBInstances"])


def identifier(instance: Any) -> str:
    return str(instance["DBInstanceIdentifier"])


def current(beside: Running, region: str) -> Any:
    """The DB instance of the newest generation."""
    return max((item for item in instances(beside, region) if f"{PREFIX}-db-g" in identifier(item)), key=identifier)


def follows(beside: Running, region: str, primary: str) -> None:
    """The region's database is a replica of the other one's, streams, and lives beside the former generation."""
    source = current(beside, region)["ReadReplicaSourceDBInstanceIdentifier"]
    assert source.endswith(identifier(current(beside, primary)))
    assert len(instances(beside, region)) >= 2
    standing = json.loads(beside.bicoastal("status", "--format", "json").stdout)["standing"]
    assert (standing["primary"], standing["protected"]) == (primary, True), standing


def tags_of(beside: Running, database: Any) -> dict[str, str]:
    found = beside.client("rds", WEST).list_tags_for_resource(ResourceName=database["DBInstanceArn"])["TagList"]
    return {tag["Key"]: tag["Value"] for tag in found}


def parameters(beside: Running, kind: str) -> dict[str, str]:
    (stack,) = beside.client("cloudformation", WEST).describe_stacks(StackName=f"{PREFIX}-{kind}")["Stacks"]
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    return {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}


def differing(beside: Running) -> list[str]:
    """Stacks that `bicoastal plan` would change."""
    done = beside.bicoastal("plan", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    return [stack["id"] for stack in json.loads(done.stdout)["stacks"] if stack["action"] != "none"]


def switch(beside: Running, region: str) -> Any:
    """What the balancer says at the switch's path, by its own rule."""
    client = beside.client("elbv2", region)
    (listener,) = (
        item
        for balancer in client.describe_load_balancers()["LoadBalancers"]
        for item in client.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        if item["Protocol"] == "HTTPS"
    )
    rules = client.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    return next(rule for rule in rules if rule["Priority"] == "1")["Actions"][0]["FixedResponseConfig"]["MessageBody"]
