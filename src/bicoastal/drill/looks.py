"""What a drill asks of AWS's API to see where things are: databases, fleets, alarms. It changes nothing.

Asked as the account, beside the operator, whose calls are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.reader import parse_template
from bicoastal.core.errors import SystemFault
from bicoastal.drill.experiment import Run

_UNTAGGED = ("iam", "route53", "cloudformation")


@dataclass(frozen=True)
class Database:
    """A DB instance as RDS describes it."""

    identifier: str
    endpoint: str
    zone: str
    standby_zone: str
    status: str
    replication: str
    """Of a replica: `replicating`, `error`, ...; empty for one that stands alone."""

    @classmethod
    def read(cls, found: Mapping[str, Any]) -> Database:
        """From DescribeDBInstances."""
        endpoint = found.get("Endpoint") or {}
        states = [info["Status"] for info in found.get("StatusInfos", ()) if info["StatusType"] == "read replication"]
        return cls(
            found["DBInstanceIdentifier"],
            f"{endpoint.get('Address', '')}:{endpoint.get('Port', '')}",
            found.get("AvailabilityZone", ""),
            found.get("SecondaryAvailabilityZone", ""),
            found["DBInstanceStatus"],
            next(iter(states), ""),
        )


@dataclass(frozen=True)
class Fleet:
    """An Auto Scaling group, and which of its instances serve."""

    desired: int
    zones: Mapping[str, str]
    """Of each instance in service that is healthy to every target group."""
    image: str
    """Id and version of its launch template."""
    ids: frozenset[str]
    """All of its instances."""


def database(run: Run, region: str) -> Database:
    """The one that the region's stack has now: after a rejoin it is another generation. Raises SystemFault."""
    identifier = run.stage.database_of(region)
    with aws_faults(f"finding the database in {region}"):
        (found,) = run.stage.session.client("rds", region).describe_db_instances(DBInstanceIdentifier=identifier)[
            "DBInstances"
        ]
    return Database.read(found)


def rows(run: Run, region: str, statement: str) -> list[tuple[Any, ...]] | None:
    """An auditor's look into the database that a region has now; None where it cannot be asked."""
    try:
        return run.stage.rows(region, statement, run.stage.database_of(region))
    except SystemFault:
        return None


def fleet(run: Run, region: str) -> Fleet:
    """The region's. Raises SystemFault."""
    session = run.stage.session
    with aws_faults(f"finding the fleet in {region}"):
        (group,) = session.client("autoscaling", region).describe_auto_scaling_groups(
            AutoScalingGroupNames=[f"{run.stage.script.name}-fleet"]
        )["AutoScalingGroups"]
        balancing = session.client("elbv2", region)
        answers = [
            balancing.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
            for arn in group["TargetGroupARNs"]
        ]
    healthy = set.intersection(
        *({item["Target"]["Id"] for item in answer if item["TargetHealth"]["State"] == "healthy"} for answer in answers)
    )
    template = (
        group.get("LaunchTemplate") or group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    )
    return Fleet(
        group["DesiredCapacity"],
        {
            item["InstanceId"]: item["AvailabilityZone"]
            for item in group["Instances"]
            if item["LifecycleState"] == "InService" and item["InstanceId"] in healthy
        },
        f"{template.get('LaunchTemplateId', '')}/{template.get('Version', '')}",
        frozenset(item["InstanceId"] for item in group["Instances"]),
    )


def alarms(run: Run, region: str) -> dict[str, str]:
    """State of each alarm of the application in a region, by its name without what all names begin with."""
    prefix = f"{run.stage.script.name}-"
    with aws_faults(f"reading the alarms of {region}"):
        pages = (
            run.stage.session.client("cloudwatch", region)
            .get_paginator("describe_alarms")
            .paginate(AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        )
        return {
            item["AlarmName"].removeprefix(prefix): item["StateValue"]
            for page in pages
            for item in (*page["MetricAlarms"], *page["CompositeAlarms"])
        }


def deployment(run: Run) -> Deployment | None:
    """The templates as they were deployed, for bars that they hold; None where nothing was."""
    package = run.stage.package
    if package is None:
        return None
    wanted = {entry.template for entry in package.manifest.stacks}
    templates = {name: parse_template(text, name) for name, text in package.templates.items() if name in wanted}
    return Deployment.of(package.manifest, templates)


def tags(run: Run, region: str) -> dict[str, dict[str, str]]:
    """Of everything in a region that bears the deployment's own tags, by ARN; a fleet's as they reach its instances.

    Without what is global, and the stacks themselves. Raises SystemFault.
    """
    found: dict[str, dict[str, str]] = {}
    with aws_faults(f"looking at the tags in {region}"):
        pages = run.stage.session.client("resourcegroupstaggingapi", region).get_paginator("get_resources")
        for page in pages.paginate(TagFilters=[{"Key": "application"}, {"Key": "managed-by"}]):
            for item in page["ResourceTagMappingList"]:
                if item["ResourceARN"].split(":")[2] not in _UNTAGGED:
                    found[item["ResourceARN"]] = {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())}
        for group in run.stage.session.client("autoscaling", region).describe_auto_scaling_groups()[
            "AutoScalingGroups"
        ]:
            found[group["AutoScalingGroupARN"]] = {tag["Key"]: tag["Value"] for tag in group["Tags"]}
    return found
