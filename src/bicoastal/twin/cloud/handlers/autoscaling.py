"""Auto Scaling groups with all that decides what runs: target groups, zones, warm-up, maintenance, metrics.

Instances are made by the fleet controller and by nobody else: ministack's invented ones are switched off.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.answers import Items, Raw
from bicoastal.twin.cloud.handlers.ec2 import now
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, Wanted

Json = Any
Record = dict[str, Json]

NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
ALL_METRICS = (
    "GroupMinSize", "GroupMaxSize", "GroupDesiredCapacity", "GroupInServiceInstances", "GroupPendingInstances",
    "GroupStandbyInstances", "GroupTerminatingInstances", "GroupTotalInstances", "GroupInServiceCapacity",
    "GroupPendingCapacity", "GroupStandbyCapacity", "GroupTerminatingCapacity", "GroupTotalCapacity",
)  # fmt: skip
"""What a group publishes when MetricsCollection names none."""


class Group(ResourceType):
    """A group."""

    type = "AWS::AutoScaling::AutoScalingGroup"

    def create(self, wanted: Wanted) -> Made:
        """Make it. A name that is taken, an unknown version of the template, or sizes out of order are refused."""
        name = wanted.name("AutoScalingGroupName", max_len=255)
        if name in emulator.store("autoscaling", "_asgs"):
            raise Refused(f"AutoScalingGroup by this name already exists: {name} (AlreadyExists)")
        arn = f"arn:aws:autoscaling:{emulator.region()}:{emulator.account()}:autoScalingGroup:{uuid.uuid4()}"
        record: Record = {
            "AutoScalingGroupName": name,
            "AutoScalingGroupARN": f"{arn}:autoScalingGroupName/{name}",
            "Instances": [],
            "CreatedTime": now(),
            "Status": "",
            "LaunchConfigurationName": "",
            "DesiredCapacity": int(wanted.get("DesiredCapacity") or wanted.get("MinSize")),
        }
        return self._put(record, wanted)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Change it. The desired capacity is its own, unless the template says one; it stays within the sizes."""
        record = emulator.store("autoscaling", "_asgs")[id_]
        if wanted.get("DesiredCapacity") is not None:
            record["DesiredCapacity"] = int(wanted.get("DesiredCapacity"))
        return self._put(record, wanted)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it; CloudFormation brings a group to zero first."""
        emulator.store("autoscaling", "_asgs").pop(id_, None)
        emulator.store("autoscaling", "_tags").pop(id_, None)
        emulator.of_service("autoscaling", "_delete_group_hooks")(id_)
        emulator.of_service("autoscaling", "_delete_group_policies")(id_)

    def _put(self, record: Record, wanted: Wanted) -> Made:
        record.update(_settings(wanted))
        if record["MinSize"] > record["MaxSize"]:
            raise Refused("Max bound must be greater than or equal to min bound (ValidationError)")
        record["DesiredCapacity"] = min(max(record["DesiredCapacity"], record["MinSize"]), record["MaxSize"])
        name = record["AutoScalingGroupName"]
        record["Tags"] = _group_tags(name, wanted)
        emulator.store("autoscaling", "_asgs")[name] = record
        emulator.store("autoscaling", "_tags")[name] = record["Tags"]
        return Made(name, {"AutoScalingGroupARN": record["AutoScalingGroupARN"], "Arn": record["AutoScalingGroupARN"]})


def _settings(wanted: Wanted) -> Record:
    subnets = [emulator.store("ec2", "_subnets")[id_] for id_ in wanted.get("VPCZoneIdentifier") or ()]
    zones = sorted({subnet["AvailabilityZone"] for subnet in subnets}) or list(wanted.get("AvailabilityZones") or ())
    if not zones:
        raise Refused("You must specify at least one availability zone or subnet (ValidationError)")
    if len({subnet["VpcId"] for subnet in subnets}) > 1:
        raise Refused("The subnets are of several VPCs (ValidationError)")
    _check_target_groups(wanted, {subnet["VpcId"] for subnet in subnets})
    return {
        "MinSize": int(wanted.get("MinSize")),
        "MaxSize": int(wanted.get("MaxSize")),
        "DefaultCooldown": int(wanted.get("Cooldown") or 300),
        "DefaultInstanceWarmup": wanted.get("DefaultInstanceWarmup"),
        "AvailabilityZones": zones,
        "VPCZoneIdentifier": ",".join(wanted.get("VPCZoneIdentifier") or ()),
        "AvailabilityZoneDistribution": wanted.get("AvailabilityZoneDistribution")
        or {"CapacityDistributionStrategy": "balanced-best-effort"},
        "TargetGroupARNs": list(wanted.get("TargetGroupARNs") or ()),
        "HealthCheckType": wanted.get("HealthCheckType", "EC2"),
        "HealthCheckGracePeriod": int(wanted.get("HealthCheckGracePeriod") or 0),
        "TerminationPolicies": list(wanted.get("TerminationPolicies") or ("Default",)),
        "NewInstancesProtectedFromScaleIn": bool(wanted.get("NewInstancesProtectedFromScaleIn", False)),
        "CapacityRebalance": bool(wanted.get("CapacityRebalance", False)),
        "InstanceMaintenancePolicy": wanted.get("InstanceMaintenancePolicy"),
        "MaxInstanceLifetime": wanted.get("MaxInstanceLifetime"),
        "EnabledMetrics": [
            {"Metric": metric, "Granularity": collection["Granularity"]}
            for collection in wanted.get("MetricsCollection") or ()
            for metric in collection.get("Metrics") or ALL_METRICS
        ],
        "LaunchTemplate": launch_template(wanted.get("LaunchTemplate") or {}),
    }


def _check_target_groups(wanted: Wanted, vpcs: set[str]) -> None:
    for arn in wanted.get("TargetGroupARNs") or ():
        group = emulator.store("alb", "_tgs")[arn]
        if vpcs and group.get("VpcId") not in vpcs:
            raise Refused(f"The target group {arn} is of another VPC than the subnets (ValidationError)")


def launch_template(given: Mapping[str, Json]) -> Record:
    """The template and version that a group launches. Raises Refused for a version that is not there."""
    if not given:
        return {}
    table = emulator.store("ec2", "_launch_templates")
    record = table.get(given.get("LaunchTemplateId", "")) or next(
        (item for item in table.values() if item["LaunchTemplateName"] == given.get("LaunchTemplateName")), None
    )
    if record is None:
        raise Refused(f"The launch template {dict(given)} does not exist (ValidationError)")
    version = str(given.get("Version", "$Default"))
    known = {str(item["VersionNumber"]) for item in record["Versions"]} | {"$Default", "$Latest"}
    if version not in known:
        raise Refused(f"Invalid launch template version: {version} of {record['LaunchTemplateId']} (ValidationError)")
    return {
        "LaunchTemplateId": record["LaunchTemplateId"],
        "LaunchTemplateName": record["LaunchTemplateName"],
        "Version": version,
    }


def _group_tags(name: str, wanted: Wanted) -> list[Json]:
    declared = {tag["Key"]: bool(tag.get("PropagateAtLaunch", False)) for tag in wanted.get("Tags") or ()}
    return [
        {
            "Key": key,
            "Value": value,
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "PropagateAtLaunch": declared.get(key, True),
        }
        for key, value in wanted.tags.items()
    ]


def _describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    names = request.get("AutoScalingGroupNames")
    found = [record for name, record in emulator.store("autoscaling", "_asgs").items() if not names or name in names]
    return {"AutoScalingGroups": Items("member", [_answer(record) for record in found])}


def _answer(record: Record) -> Record:
    instances = "".join(
        emulator.of_service("autoscaling", "_instance_member_xml")(item) for item in record["Instances"]
    )
    answer: Record = {
        name: Items("member", value) if isinstance(value, list) else value
        for name, value in record.items()
        if name in _ANSWERED and value not in (None, "", {})
    }
    answer["Instances"] = Raw(instances)
    answer["EnabledMetrics"] = Items("member", record.get("EnabledMetrics", []))
    return answer


_ANSWERED = (
    "AutoScalingGroupName", "AutoScalingGroupARN", "MinSize", "MaxSize", "DesiredCapacity", "DefaultCooldown",
    "DefaultInstanceWarmup", "AvailabilityZones", "AvailabilityZoneDistribution", "TargetGroupARNs", "HealthCheckType",
    "HealthCheckGracePeriod", "CreatedTime", "VPCZoneIdentifier", "TerminationPolicies", "CapacityRebalance",
    "NewInstancesProtectedFromScaleIn", "InstanceMaintenancePolicy", "MaxInstanceLifetime", "LaunchTemplate",
    "LaunchConfigurationName", "Tags", "SuspendedProcesses",
)  # fmt: skip


def no_invented_instances() -> None:
    """A group has the instances that the fleet controller gave it, not those that its size asks for."""
    emulator.replace_in_service("autoscaling", "_reconcile_instances", lambda _: None)


TYPES = (Group(),)
ACTIONS = {"DescribeAutoScalingGroups": _describe}
