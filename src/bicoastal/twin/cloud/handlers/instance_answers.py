"""How EC2 answers for an instance: its description, its status checks, and the filters that select it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers.ec2 import tag_set
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
Record = dict[str, Json]


def answer(item: Record) -> Record:
    """An instance as DescribeInstances has it."""
    groups = [{"groupId": group["GroupId"], "groupName": group["GroupName"]} for group in item["SecurityGroups"]]
    here = item["State"]["Name"] != "terminated"
    profile, options = item.get("IamInstanceProfile"), item.get("MetadataOptions") or {}
    return {
        "instanceId": item["InstanceId"],
        "imageId": item["ImageId"],
        "instanceState": {"code": item["State"]["Code"], "name": item["State"]["Name"]},
        "privateDnsName": item["PrivateDnsName"] if here else "",
        "dnsName": item["PublicDnsName"],
        "reason": item.get("Reason", ""),
        "keyName": item["KeyName"] or None,
        "amiLaunchIndex": item["AmiLaunchIndex"],
        "instanceType": item["InstanceType"],
        "launchTime": item["LaunchTime"],
        "placement": {"availabilityZone": item["Placement"]["AvailabilityZone"], "tenancy": "default"},
        "monitoring": {"state": item["Monitoring"]["State"]},
        "subnetId": item["SubnetId"] if here else None,
        "vpcId": item["VpcId"] if here else None,
        "privateIpAddress": item["PrivateIpAddress"] if here else None,
        "ipAddress": item["PublicIpAddress"] or None,
        "sourceDestCheck": item["SourceDestCheck"],
        "groupSet": groups if here else [],
        "stateReason": lower(item.get("StateReason")),
        "architecture": item["Architecture"],
        "rootDeviceType": item["RootDeviceType"],
        "rootDeviceName": item["RootDeviceName"],
        "blockDeviceMapping": [mapping(entry) for entry in item["BlockDeviceMappings"]] if here else [],
        "virtualizationType": item["Virtualization"],
        "clientToken": item.get("ClientToken") or "",
        "tagSet": tag_set(item["InstanceId"]),
        "hypervisor": item["Hypervisor"],
        "iamInstanceProfile": lower(profile),
        "networkInterfaceSet": [_interface(item, groups)] if here else [],
        "metadataOptions": {
            "state": "applied",
            **{name[0].lower() + name[1:]: value for name, value in options.items()},
        },
    }


def lower(found: Mapping[str, Json] | None) -> Record | None:
    """The same with names as EC2's XML has them."""
    return {name[0].lower() + name[1:]: value for name, value in found.items()} if found else None


def mapping(entry: Mapping[str, Json]) -> Record:
    """A block device."""
    return {"deviceName": entry["DeviceName"], "ebs": lower(entry["Ebs"])}


def _interface(item: Record, groups: list[Json]) -> Record:
    return {
        "networkInterfaceId": item.get("Interface", ""),
        "subnetId": item["SubnetId"],
        "vpcId": item["VpcId"],
        "ownerId": emulator.account(),
        "status": "in-use",
        "privateIpAddress": item["PrivateIpAddress"],
        "privateIpAddressesSet": [{"privateIpAddress": item["PrivateIpAddress"], "primary": True}],
        "groupSet": groups,
        "attachment": {"deviceIndex": 0, "status": "attached", "deleteOnTermination": True},
    }


def status(item: Record) -> Record:
    """An instance's checks as DescribeInstanceStatus has them."""
    if item["State"]["Name"] != "running":
        check: Record = {"status": "not-applicable"}
    else:
        status, passed = {None: ("initializing", "initializing"), True: ("ok", "passed")}.get(
            item.get("Reachable"), ("impaired", "failed")
        )
        check = {"status": status, "details": [{"name": "reachability", "status": passed}]}
    return {
        "instanceId": item["InstanceId"],
        "availabilityZone": item["Placement"]["AvailabilityZone"],
        "instanceState": {"code": item["State"]["Code"], "name": item["State"]["Name"]},
        "systemStatus": check,
        "instanceStatus": check,
    }


_FILTERS: Mapping[str, Callable[[Record], Iterable[str]]] = {
    "instance-id": lambda item: (item["InstanceId"],),
    "instance-state-name": lambda item: (item["State"]["Name"],),
    "instance-state-code": lambda item: (str(item["State"]["Code"]),),
    "instance-type": lambda item: (item["InstanceType"],),
    "image-id": lambda item: (item["ImageId"],),
    "availability-zone": lambda item: (item["Placement"]["AvailabilityZone"],),
    "subnet-id": lambda item: (item["SubnetId"],),
    "vpc-id": lambda item: (item["VpcId"],),
    "private-ip-address": lambda item: (item["PrivateIpAddress"],),
    "client-token": lambda item: (item.get("ClientToken") or "",),
    "iam-instance-profile.arn": lambda item: ((item.get("IamInstanceProfile") or {}).get("Arn", ""),),
    "instance.group-id": lambda item: [group["GroupId"] for group in item["SecurityGroups"]],
    "instance.group-name": lambda item: [group["GroupName"] for group in item["SecurityGroups"]],
}


def passes(item: Record, name: str, values: list[str]) -> bool:
    """Whether an instance passes a filter. Raises ServiceError for one that EC2 does not have."""
    if name.startswith("tag:") or name in ("tag-key", "tag-value"):
        tags = {tag["key"]: tag["value"] for tag in tag_set(item["InstanceId"])}
        key = name.removeprefix("tag:")
        has: Iterable[str] = (
            tags if name == "tag-key" else tags.values() if name == "tag-value" else [tags[key]] if key in tags else ()
        )
    else:
        field = _FILTERS.get(name) or _FILTERS.get(f"instance.{name}") or _FILTERS.get(name.removeprefix("instance."))
        if field is None:
            raise ServiceError("InvalidParameterValue", f"The filter '{name}' is invalid")
        has = field(item)
    return any(fnmatchcase(one, pattern) for one in has for pattern in values)
