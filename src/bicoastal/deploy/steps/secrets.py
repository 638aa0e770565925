"""Waits until every secret is in the other region: a replica that could not be made fails no stack by itself."""

from __future__ import annotations

from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.waiting import Waiter
from bicoastal.core.errors import SystemFault
from bicoastal.deploy.moments import End
from bicoastal.deploy.package import Package
from bicoastal.deploy.run import Run, Step
from bicoastal.stacks.view import StackView

DEADLINE_S = 120.0
_SECRET = "AWS::SecretsManager::Secret"  # noqa: S105 - a type's name


def replicated_secrets(package: Package) -> list[Step]:
    """One step, where there are secrets."""
    after = package.entries("secrets")
    if not after:
        return []
    before = (*package.entries("database"), *package.entries("access"))
    return [Step("secrets in both regions", after, before, lambda run: _wait(run, after[0].id))]


def _wait(run: Run, source: str) -> End:
    stack = run.stacks[source]
    if source not in run.changed and all(run.views.get(entry.id) for entry in run.package.entries("database")):
        return End.UNCHANGED
    run.begin("secrets in both regions", "waiting for their replicas")
    client = run.session.client("secretsmanager", stack.region)
    with aws_faults("asking for the replicas of the secrets"):
        for arn in named_secrets(run, stack):
            for _ in Waiter(DEADLINE_S, f"waiting for the replicas of {arn}"):
                answer = client.describe_secret(SecretId=arn)
                if replicated(arn, answer):
                    break
    return End.DONE


def replicated(arn: str, answer: dict[str, Any]) -> bool:
    """Whether all replicas are there. Raises SystemFault for one that will not be.

    A secret without a value yet has nothing to replicate: the team fills it in.
    """
    replicas = answer.get("ReplicationStatus", [])
    for replica in replicas:
        if replica.get("Status") == "Failed":
            raise SystemFault(
                f"{arn}: its replica in {replica.get('Region')} could not be made: "
                f"{replica.get('StatusMessage', 'no reason given')}\n"
                "    -> Mend that (often a key that may not be used, or a secret of that name there), then run "
                "`bicoastal deploy` again."
            )
    if not answer.get("VersionIdsToStages"):
        return True
    return all(replica.get("Status") == "InSync" for replica in replicas)


def named_secrets(run: Run, stack: StackView) -> dict[str, str]:
    """Id (AWS: its ARN) to name of each secret of the stack. Raises botocore's errors."""
    pages = run.session.client("cloudformation", stack.region).get_paginator("list_stack_resources")
    ids = [
        item["PhysicalResourceId"]
        for page in pages.paginate(StackName=stack.id)
        for item in page["StackResourceSummaries"]
        if item["ResourceType"] == _SECRET
    ]
    client = run.session.client("secretsmanager", stack.region)
    return {id_: client.describe_secret(SecretId=id_)["Name"] for id_ in ids}
