"""What launching and tagging must be allowed to do: each resource on its own, with the keys that EC2 gives for it.

A launch is asked about each thing that it makes or uses, and takes two other rights: to tag at launch, and to hand the
profile's role to EC2. Policies that let an automation launch from one template alone are worth nothing without that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers import groups
from bicoastal.twin.cloud.registry import ServiceError
from bicoastal.twin.cloud.rights import Check, Request, ec2_tags, hand_over, tag_keys

Json = Any
_KINDS = {
    "i": "instance", "vol": "volume", "eni": "network-interface", "subnet": "subnet", "sg": "security-group",
    "vpc": "vpc", "lt": "launch-template", "rtb": "route-table", "acl": "network-acl", "eipalloc": "elastic-ip",
    "igw": "internet-gateway", "nat": "natgateway", "snap": "snapshot", "ami": "image", "pcx": "vpc-peering-connection",
    "vpce": "vpc-endpoint", "fl": "vpc-flow-log",
}  # fmt: skip
_TAGGED_AT_LAUNCH = {"instance": "instance", "volume": "volume", "network-interface": "network-interface"}


def _one(request: Request, id_: str, **keys: Json) -> Check:
    """A resource of its own kind, with its tags."""
    kind = _KINDS.get(id_.partition("-")[0], "*")
    tags = ec2_tags(id_)
    known = {**tag_keys("aws:ResourceTag", tags), **tag_keys("ec2:ResourceTag", tags)}
    return Check(request.arn("ec2", f"{kind}/{id_}"), {**known, **keys})


def _each(name: str) -> Any:
    def rule(request: Request) -> Sequence[Check]:
        found = request.data.get(name) or ()
        return [_one(request, str(id_)) for id_ in ([found] if isinstance(found, str) else found)]

    return rule


def _launch(request: Request) -> Sequence[Check]:
    template, data = _template(request.data.get("LaunchTemplate") or {})
    given = {**data, **request.data}
    by: dict[str, Json] = {"ec2:IsLaunchTemplateResource": "false"}
    if template:
        by = {
            "ec2:LaunchTemplate": request.arn("ec2", f"launch-template/{template}"),
            "ec2:IsLaunchTemplateResource": "true",
        }
    checks = [
        Check(request.arn("ec2", f"{kind}/*"), {**by, "ec2:InstanceType": given.get("InstanceType", "")})
        for kind in ("instance", "network-interface", "volume")
    ]
    checks += [_one(request, template, **by)] if template else []
    checks += [_one(request, str(id_), **by) for id_ in _groups(given)]
    if given.get("ImageId"):
        image = f"arn:aws:ec2:{request.region}::image/{given['ImageId']}"
        checks.append(Check(image, {**by, "ec2:Owner": "amazon"}))
    if given.get("SubnetId"):
        checks.append(_one(request, given["SubnetId"], **by, **_network(request, given["SubnetId"])))
    return [*checks, *_with_a_launch(request, given)]


def _network(request: Request, subnet: str) -> dict[str, str]:
    record = emulator.store("ec2", "_subnets").get(subnet)
    return {"ec2:Vpc": request.arn("ec2", f"vpc/{record['VpcId']}")} if record else {}


def _with_a_launch(request: Request, given: Mapping[str, Json]) -> Iterator[Check]:
    specifications = [*(given.get("TagSpecifications") or ()), *(given.get("TagSpecification") or ())]
    for item in specifications:
        kind = _TAGGED_AT_LAUNCH.get(item.get("ResourceType", ""))
        if kind:
            tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags") or item.get("Tag") or ()}
            keys: dict[str, Json] = {"ec2:CreateAction": "RunInstances", "aws:TagKeys": list(tags)}
            yield Check(request.arn("ec2", f"{kind}/*"), {**keys, **tag_keys("aws:RequestTag", tags)}, "ec2:CreateTags")
    profile = given.get("IamInstanceProfile") or {}
    name = str(profile.get("Name") or profile.get("Arn") or "").rpartition("/")[2]
    record = emulator.store("iam", "_instance_profiles").get(name) or {}
    for role in record.get("Roles") or ():
        known = emulator.store("iam", "_roles").get(role if isinstance(role, str) else role["RoleName"])
        if known:
            yield hand_over(known["Arn"], "ec2.amazonaws.com")


def _template(given: Mapping[str, Json]) -> tuple[str, Mapping[str, Json]]:
    """The id of a launch template and what its version says; empty where there is none."""
    for record in emulator.store("ec2", "_launch_templates").values():
        if given.get("LaunchTemplateId") == record["LaunchTemplateId"] or (
            given.get("LaunchTemplateName") == record["LaunchTemplateName"]
        ):
            named = {"$Latest": record["LatestVersionNumber"], "$Default": record["DefaultVersionNumber"]}
            wanted = given.get("Version") or "$Default"
            number = str(named.get(wanted, wanted))
            for version in record["Versions"]:
                if str(version["VersionNumber"]) == number:
                    return str(record["LaunchTemplateId"]), version["LaunchTemplateData"]
            return str(record["LaunchTemplateId"]), {}
    return "", {}


def _groups(given: Mapping[str, Json]) -> list[Json]:
    found = given.get("SecurityGroupId") or given.get("SecurityGroupIds") or []
    return [found] if isinstance(found, str) else list(found)


def _member(request: Request) -> Sequence[Check]:
    """Calls that name an instance are about the group that it is in, with that group's tags."""
    try:
        record, _ = groups.member_of(request.data.get("InstanceId"))
    except ServiceError:
        return [Check(request.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/*"))]
    name = record["AutoScalingGroupName"]
    tags = {tag["Key"]: str(tag.get("Value", "")) for tag in emulator.store("autoscaling", "_tags").get(name) or ()}
    resource = f"autoScalingGroup:*:autoScalingGroupName/{name}"
    return [Check(request.arn("autoscaling", resource), tag_keys("aws:ResourceTag", tags))]


RIGHTS = {
    "autoscaling:SetInstanceHealth": _member,
    "autoscaling:TerminateInstanceInAutoScalingGroup": _member,
    "ec2:RunInstances": _launch,
    "ec2:TerminateInstances": _each("InstanceId"),
    "ec2:StopInstances": _each("InstanceId"),
    "ec2:StartInstances": _each("InstanceId"),
    "ec2:RebootInstances": _each("InstanceId"),
    "ec2:CreateTags": _each("ResourceId"),
    "ec2:DeleteTags": _each("ResourceId"),
}
