"""Carries a secret that was changed at home to whoever uses it: the database's roles, then the servers of both regions.

A team rotates a password by putting a new value into its secret; `deploy` does the rest. When a value became the
current one is asked of Secrets Manager, not remembered: what began before it does not know it. The bootstrap tells the
database (`database`); here servers that were launched before are replaced, as the group's own rules say. Sessions that
are open go on through all of it; until its server is replaced, a pool that needs another session does not get one.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.waiting import Waiter
from bicoastal.cfn.manifest import StackEntry
from bicoastal.core.errors import SystemFault
from bicoastal.deploy.moments import End
from bicoastal.deploy.package import Package
from bicoastal.deploy.run import Run, Step
from bicoastal.deploy.steps.secrets import named_secrets, replicated

REFRESH_S = 7200.0
"""Batches of servers, each with a boot and its warm-up."""
WARM_UP_S = 30
"""Until a server that passes its health check counts: it has nothing to warm but its pool."""
BOOTSTRAPPED = ("database/owner", "database/app", "database/kit")
"""Whose passwords the bootstrap carries into the database. The master's is set by the database's stack alone."""
_SERVED = ("database/app", "app/")
"""What a server reads once, when it boots. The kit reads its own again when it is refused."""
_UNDER_WAY = frozenset({"Pending", "InProgress", "Baking"})


def refreshed_servers(package: Package) -> list[Step]:
    """One step for each region's servers, after all else that they depend on."""
    if not package.entries("secrets"):
        return []
    after = (*package.entries("secrets"), *package.entries("service"))
    return [
        Step(f"secrets known in {entry.region}", after, (), lambda run, entry=entry: _refresh(run, entry))  # type: ignore[misc]
        for entry in package.entries("service")
    ]


def changed_at(run: Run, names: Iterable[str]) -> datetime | None:
    """When the newest of these secrets got its current value, by their names without the application's; None: never.

    A name that ends with a slash means all below it. Raises SystemFault.
    """
    wanted = tuple(f"{run.package.name}/{name}" for name in names)
    entries = run.package.entries("secrets")
    stack = run.stacks.get(entries[0].id) if entries else None
    if stack is None:
        return None
    client = run.session.client("secretsmanager", stack.region)
    found: list[datetime] = []
    with aws_faults("asking when the secrets were changed"):
        for arn, name in named_secrets(run, stack).items():
            if not any(name == one or (one.endswith("/") and name.startswith(one)) for one in wanted):
                continue
            # Versions without a stage are left out: there are a few at most, and no page.
            versions = client.list_secret_version_ids(SecretId=arn)["Versions"]
            found += [item["CreatedDate"] for item in versions if "AWSCURRENT" in item["VersionStages"]]
    return max(found, default=None)


def _refresh(run: Run, entry: StackEntry) -> End:
    changed = changed_at(run, _SERVED)
    group = f"{run.package.name}-fleet"
    stale = _launched_before(run, entry.region, group, changed) if changed is not None else []
    if not stale:
        return End.UNCHANGED
    name = f"secrets known in {entry.region}"
    run.begin(name, f"{len(stale)} servers know only what the secrets were before {changed:%Y-%m-%d %H:%M:%S} UTC")
    _await_replicas(run)
    client, begun = run.session.client("autoscaling", entry.region), False
    for _ in Waiter(REFRESH_S, f"waiting for the servers of {entry.region} to be replaced"):
        status, why = _newest(client, group, entry.region)
        if status in _UNDER_WAY:
            continue
        if not _launched_before(run, entry.region, group, changed):
            break
        if begun:
            raise SystemFault(
                f"servers of {entry.region} were not replaced: the refresh of {group} is {status}: {why}\n"
                "    -> Those that were not serve on, with the sessions that they have. Mend it, and run "
                "`bicoastal deploy` again."
            )
        begun = _start(client, group, entry.region)
    return End.DONE


def _await_replicas(run: Run) -> None:
    """Servers of the other region read its copies."""
    stack = run.stacks[run.package.entries("secrets")[0].id]
    client = run.session.client("secretsmanager", stack.region)
    with aws_faults("asking for the replicas of the secrets"):
        for arn in named_secrets(run, stack):
            for _ in Waiter(REFRESH_S, f"waiting for the replicas of {arn}"):
                if replicated(arn, client.describe_secret(SecretId=arn)):
                    break


def _launched_before(run: Run, region: str, group: str, moment: datetime | None) -> list[str]:
    """Servers of the group that are not leaving it, by when EC2 launched them."""
    with aws_faults(f"looking at the servers of {region}"):
        groups = run.session.client("autoscaling", region).describe_auto_scaling_groups(AutoScalingGroupNames=[group])[
            "AutoScalingGroups"
        ]
        ids = [
            item["InstanceId"]
            for found in groups
            for item in found["Instances"]
            if not item["LifecycleState"].startswith("Terminat")
        ]
        if not ids or moment is None:
            return []
        pages = run.session.client("ec2", region).get_paginator("describe_instances").paginate(InstanceIds=ids)
        return [
            instance["InstanceId"]
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
            if instance["LaunchTime"] < moment
        ]


def _newest(client: Any, group: str, region: str) -> tuple[str, str]:
    """Status of the group's newest refresh, whoever began it, and its reason; empty where there was none."""
    with aws_faults(f"following the refresh of {group} in {region}"):
        refreshes = client.describe_instance_refreshes(AutoScalingGroupName=group, MaxRecords=1)["InstanceRefreshes"]
    if not refreshes:
        return "", ""
    return str(refreshes[0]["Status"]), str(refreshes[0].get("StatusReason") or "no reason was given")


def _start(client: Any, group: str, region: str) -> bool:
    """Whether it is ours: somebody else may have begun one meanwhile."""
    try:
        with aws_faults(f"refreshing {group} in {region}"):
            client.start_instance_refresh(
                AutoScalingGroupName=group, Preferences={"InstanceWarmup": WARM_UP_S, "SkipMatching": False}
            )
    except ApiFault as fault:
        if fault.code != "InstanceRefreshInProgress":
            raise
        return False
    return True
