"""The guard's cases, each made real on the twin that runs: `failover` is typed, refused, and nothing is changed."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from tests.support.running import EAST, PREFIX, WEST, Running, until

HEALS_S = 120.0
"""On a busy machine."""


def refused(twin: Running, *words: str, code: int = 1) -> str:
    """`bicoastal failover`, which says no; returns what it says, once it is seen that nothing is changed."""
    before = standing(twin)
    done = twin.bicoastal("failover", *words, deadline_s=300)
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert standing(twin) == before
    if code == 1:
        assert "Failover to us-west-2 is refused, and everything is as it was" in said
        assert '-> Wait, or override it for the record: bicoastal failover --to us-west-2 --force "REASON"' in said
    return said


def standing(twin: Running) -> Any:
    """What a failover would change in the west: whom its database follows, its switch, its read gate."""
    balancing = twin.client("elbv2", WEST)
    (balancer,) = balancing.describe_load_balancers()["LoadBalancers"]
    listeners = balancing.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    rules = [
        rule["Actions"]
        for listener in listeners
        for rule in balancing.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    ]
    follows = twin.database(WEST)["ReadReplicaSourceDBInstanceIdentifier"]
    assert f":{EAST}:" in follows.replace("arn:aws:rds", "")
    return follows, [listener["DefaultActions"] for listener in listeners], rules


@contextlib.contextmanager
def stopped(twin: Running, words: str) -> Iterator[None]:
    """Processes of the west's database stand still for a while, as on a disk that hangs."""
    found = [pid for pid in twin.processes(words) if "us_west_2" in _line(pid)]
    assert found
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _line(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123
        return file.read().decode()
    return ""


def lag_s(twin: Running) -> float:
    """How far the west's replica is behind, by the application there."""
    return float(twin.get(WEST, "/api/status").json["database"]["lag_s"])


def reading(twin: Running) -> list[int]:
    """PostgreSQL's processes in the west that read as the application does."""
    found = {pid: _line(pid) for pid in twin.processes(f"us_west_2_{PREFIX.replace('-', '_')}")}
    return [pid for pid, line in found.items() if " app " in line and "SELECT" in line]


def test_home_is_healthy(twin: Running) -> None:
    said = refused(twin)
    assert "home is alive: the primary in us-east-1 is alive: its heartbeat is" in said
    assert "Moving it without loss is `bicoastal switchover --to us-west-2`" in said


def test_inside_a_region_it_moves_to_the_standby_and_a_dry_run_moves_nothing(twin: Running) -> None:
    """The other zone has it, and its endpoint stays."""
    until("nothing else is done to it", lambda: twin.database(EAST)["DBInstanceStatus"] == "available")
    before = twin.database(EAST)
    forced = twin.bicoastal("failover", "--in-region", "--force", "a test")
    assert (forced.returncode, "no guard to override" in forced.stderr) == (2, True), forced.stderr
    dry = twin.bicoastal("failover", "--in-region", "--dry-run")
    assert (dry.returncode, f"is available in {before['AvailabilityZone']}" in dry.stdout) == (0, True), dry.stderr
    assert twin.database(EAST)["AvailabilityZone"] == before["AvailabilityZone"]

    moved = twin.bicoastal("failover", "--in-region", deadline_s=300)
    assert moved.returncode == 0, moved.stderr
    after = twin.database(EAST)
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]
    assert after["Endpoint"] == before["Endpoint"]


def test_the_replica_is_backed_up(twin: Running) -> None:
    rds, taken = twin.client("rds", WEST), f"{PREFIX}-held"
    identifier = twin.database(WEST)["DBInstanceIdentifier"]

    def status() -> str:
        return str(twin.database(WEST)["DBInstanceStatus"])

    until("nothing else is done to it", lambda: status() == "available")
    with stopped(twin, "checkpointer"):
        rds.create_db_snapshot(DBInstanceIdentifier=identifier, DBSnapshotIdentifier=taken)
        until("the snapshot has begun", lambda: status() == "backing-up")
        said = refused(twin)
        assert f"backup: {identifier} is being backed up, and RDS refuses to promote it meanwhile; when that" in said
        assert "Its daily window" in said
    until("it can be promoted again", lambda: status() == "available", HEALS_S)
    rds.delete_db_snapshot(DBSnapshotIdentifier=taken)


def test_the_replica_is_further_behind_than_was_promised(twin: Running) -> None:
    impatient = twin.spec.with_name("impatient.yaml")
    impatient.write_text(f"{twin.spec.read_text()}\npromise: {{rpo_seconds: 1}}\n")
    with stopped(twin, "startup recovering"):
        until("it lags", lambda: lag_s(twin) > 1.5)
        said = refused(twin, "--spec", str(impatient))
        assert "s behind at its last contact; the promise is 1 s. What it lacks is lost." in said
    until("it has caught up", lambda: lag_s(twin) < 1)


def test_the_regions_do_not_see_each_other(twin: Running) -> None:
    twin.fault("partition", region=EAST, other=WEST, how="refuse")
    try:
        until("nothing arrives", lambda: lag_s(twin) > 1)
        assert "home is alive: the primary in us-east-1 takes writes, by its own kit" in refused(twin)
    finally:
        twin.fault("heal", region=EAST, other=WEST)
    until("it streams again", lambda: lag_s(twin) < 1, HEALS_S)


def test_somebody_changes_a_stack(twin: Running) -> None:
    stacks, name = twin.client("cloudformation", WEST), f"{PREFIX}-service"
    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    kept = [item["ParameterKey"] for item in stack["Parameters"] if item["ParameterKey"] != "ImageId"]
    stacks.update_stack(
        StackName=name,
        UsePreviousTemplate=True,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": "ImageId", "ParameterValue": "ami-0123456789abcdef0"}]
        + [{"ParameterKey": key, "UsePreviousValue": True} for key in kept],
    )
    said = refused(twin)
    assert f"change in progress: a change of {name} is in progress in us-west-2" in said
    stacks.cancel_update_stack(StackName=name)
    until("it is as it was", partial(_rolled_back, stacks, name), HEALS_S)


def _rolled_back(stacks: Any, name: str) -> bool:
    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    return bool(stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE")


def test_nobody_can_ask_the_kit(twin: Running) -> None:
    """What is not known is no reason to promote, and none to override."""
    iam = twin.client("iam")
    document = [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ssm:SendCommand", "Resource": "*"},
    ]
    iam.create_user(UserName="bob")
    iam.put_user_policy(
        UserName="bob",
        PolicyName="no-commands",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": document}),
    )
    key = iam.create_access_key(UserName="bob")["AccessKey"]
    theirs = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    said = refused(replace(twin, environment={**twin.environment, **theirs}), "--force", "it has to", code=3)
    assert "The epoch of the database in us-west-2 is unknown" in said
    assert "AccessDenied" in said


def test_reads_outlast_the_drain(twin: Running) -> None:
    """Last: the home region is lost for it, and comes back."""
    survivor = replace(twin, environment={**twin.environment, "AWS_REGION": WEST, "AWS_DEFAULT_REGION": WEST})
    twin.fault("lose-region", region=EAST, how="refuse")
    try:
        read(twin, WEST, 120)
        said = refused(survivor, "--drain", "5")
        assert "reads: 1 sessions still read in us-west-2; a promotion ends them." in said
        assert "home is alive" not in said
    finally:
        twin.fault("return-region", region=EAST)
        for pid in reading(twin):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    until("the east takes writes", lambda: twin.order(EAST, "after the refusal").status == 201, HEALS_S)
    until("the west follows", lambda: lag_s(twin) < 1, HEALS_S)
    until("both serve with all they have", lambda: all(len(twin.in_service(at)) >= 2 for at in (EAST, WEST)), HEALS_S)


def read(twin: Running, region: str, seconds: float) -> None:
    """A report that takes its time, as the application's user, from a server of the region's fleet; it has begun."""
    secrets, ssm = twin.client("secretsmanager", region), twin.client("ssm", region)
    (app,) = (item["ARN"] for item in secrets.list_secrets()["SecretList"] if item["Name"].endswith("/app"))
    password = json.loads(secrets.get_secret_value(SecretId=app)["SecretString"])["password"]
    at = twin.database(region)["Endpoint"]
    program = (
        "import sys, ssl; sys.path.insert(0, '/opt/bicoastal/kit'); import pg8000.native as pg\n"
        "tls = ssl.create_default_context(cafile='/opt/bicoastal/ca/rds.pem')\n"
        f"door = pg.Connection('app', host={at['Address']!r}, port={at['Port']}, database='app', "
        f"password={password!r}, ssl_context=tls)\n"
        "print('it reads', flush=True)\n"
        f"door.run('SELECT count(*), pg_sleep({seconds}) FROM orders')"
    )
    ssm.send_command(
        DocumentName="AWS-RunShellScript",
        InstanceIds=[twin.in_service(region)[0]],
        Parameters={"commands": [f"python3.11 -c {shlex.quote(program)}"]},
    )
    until("it reads", lambda: reading(twin))
