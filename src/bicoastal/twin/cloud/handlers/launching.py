"""What becomes of a request to launch an instance: a record that says where it is and what it is given at boot.

The request is laid over a version of a launch template, as EC2 does it. ministack would take any subnet's name, give
any address and forget the template: what is written here is kept in its table, so that its other actions find it.
Nothing runs because of a record; the instances' controller looks at it.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.handlers.ec2 import new_id, now, put_tags
from bicoastal.twin.cloud.registry import ServiceError

Json = Any
Record = dict[str, Json]

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
USER_DATA_BYTES = 16384
_RESERVED = 4
"""The first addresses of a subnet are the VPC's own, and so is the last."""
_METADATA = {
    "HttpTokens": "optional",
    "HttpPutResponseHopLimit": 1,
    "HttpEndpoint": "enabled",
    "InstanceMetadataTags": "disabled",
}


def state_of(name: str) -> Record:
    """A state as records hold it."""
    return {"Code": CODES[name], "Name": name}


def template_version(launch_template_id: str, version: str = "$Default", name: str = "") -> Record:
    """A version of a launch template, with its data. Raises ServiceError for one that is not there."""
    table = emulator.store("ec2", "_launch_templates")
    record = table.get(launch_template_id) if launch_template_id else None
    if record is None and name:
        record = next((item for item in table.values() if item["LaunchTemplateName"] == name), None)
    if record is None:
        code = "InvalidLaunchTemplateId" if launch_template_id else "InvalidLaunchTemplateName"
        what = launch_template_id or name
        raise ServiceError(
            f"{code}.NotFound", f"The specified launch template, with template ID {what}, does not exist."
        )
    wanted = str(version or "$Default")
    number = {"$Default": record["DefaultVersionNumber"], "$Latest": record["LatestVersionNumber"]}.get(wanted, wanted)
    for item in record["Versions"]:
        if str(item["VersionNumber"]) == str(number):
            return {**item, "LaunchTemplateId": record["LaunchTemplateId"]}
    raise ServiceError(
        "InvalidLaunchTemplateId.VersionNotFound",
        f"Could not find the specified version {wanted} for the launch template with ID {record['LaunchTemplateId']}.",
    )


def launch(
    launch_template_id: str,
    version: str = "$Default",
    subnet_id: str = "",
    tags: Mapping[str, str] | None = None,
    overrides: Mapping[str, Json] | None = None,
) -> Record:
    """One instance of a launch template's version; returns its record.

    `tags` are added to the template's, and win over them. `overrides` has keys as in a template's data
    (`InstanceType`, `UserData`, ...). It is `pending` where a data plane boots it, else `running` at once. Raises
    ServiceError as EC2 does.
    """
    found = template_version(launch_template_id, version)
    settings = {**found["LaunchTemplateData"], **(overrides or {})}
    return make(settings, subnet_id, tags or {}, {"Id": found["LaunchTemplateId"], "Version": found["VersionNumber"]})


_lost: set[str] = set()
"""Availability Zones in which there is nothing to run an instance on; a control plane that restarts has them again."""


def lose_zone(data: Mapping[str, Json]) -> Json:
    """`zone`, and whether it is `lost` or there again: what the drill's hand says."""
    if data["lost"]:
        _lost.add(data["zone"])
    else:
        _lost.discard(data["zone"])
    return {}


def _check_capacity(kind: str, zone: str) -> None:
    if zone in _lost:
        raise ServiceError(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {kind} capacity in the Availability Zone you requested ({zone}). Our "
            "system will be working on provisioning additional capacity.",
        )


def make(settings: Mapping[str, Json], subnet_id: str, tags: Mapping[str, str], template: Record | None) -> Record:
    """A record from settings in the form of a template's data."""
    interface: Mapping[str, Json] = next(iter(settings.get("NetworkInterfaces") or ()), {})
    subnet = _subnet(subnet_id or str(interface.get("SubnetId", "")))
    _check_capacity(str(settings.get("InstanceType") or "t3.micro"), subnet["AvailabilityZone"])
    if not settings.get("ImageId"):
        raise ServiceError("MissingParameter", "The request must contain the parameter ImageId")
    groups = _groups(interface.get("Groups") or settings.get("SecurityGroupIds") or (), subnet["VpcId"])
    id_ = new_id("i")
    address = _free_address(subnet)
    record = {
        **_identity(id_, settings, subnet, address, public=_is_public(interface, subnet)),
        "SecurityGroups": groups,
        "IamInstanceProfile": _profile(settings.get("IamInstanceProfile") or {}),
        "UserData": _user_data(str(settings.get("UserData") or "")),
        "MetadataOptions": {**_METADATA, **(settings.get("MetadataOptions") or {})},
        "ShutdownBehavior": settings.get("InstanceInitiatedShutdownBehavior") or "stop",
        "DisableApiTermination": bool(settings.get("DisableApiTermination", False)),
        "Monitoring": {"State": "enabled" if (settings.get("Monitoring") or {}).get("Enabled") else "disabled"},
        "Interface": new_id("eni"),
        "LaunchTemplate": template,
    }
    record["BlockDeviceMappings"] = _volumes(record, settings.get("BlockDeviceMappings") or ())
    if template:
        tags = {"aws:ec2launchtemplate:id": template["Id"], "aws:ec2launchtemplate:version": str(template["Version"]),
                **tags}  # fmt: skip
    put_tags(id_, {**_tags_of(settings, "instance"), **tags})
    emulator.store("ec2", "_instances")[id_] = record
    return record


def discard(record: Mapping[str, Json]) -> None:
    """What an instance leaves behind goes with it: the volumes that say so."""
    for mapping in record.get("BlockDeviceMappings", ()):
        if mapping["Ebs"]["DeleteOnTermination"]:
            emulator.store("ec2", "_volumes").pop(mapping["Ebs"]["VolumeId"], None)


def _identity(id_: str, settings: Mapping[str, Json], subnet: Record, address: str, *, public: str) -> Record:
    kind = str(settings.get("InstanceType") or "t3.micro")
    domain = "ec2.internal" if emulator.region() == "us-east-1" else f"{emulator.region()}.compute.internal"
    return {
        "InstanceId": id_,
        "ImageId": settings["ImageId"],
        "InstanceType": kind,
        "KeyName": settings.get("KeyName") or "",
        "State": state_of("pending" if planes.attached("instances") else "running"),
        # Without somebody who looks after it, it is well by definition.
        "Reachable": None if planes.attached("instances") else True,
        "SubnetId": subnet["SubnetId"],
        "VpcId": subnet["VpcId"],
        "PrivateIpAddress": address,
        "PrivateDnsName": f"ip-{address.replace('.', '-')}.{domain}",
        "PublicIpAddress": public,
        "PublicDnsName": "",
        "SourceDestCheck": True,
        # Graviton families have a g behind the generation: t4g, m7gd.
        "Architecture": "arm64" if re.match(r"[a-z]+\d+g", kind) else "x86_64",
        "RootDeviceType": "ebs",
        "RootDeviceName": "/dev/xvda",
        "Hypervisor": "xen",
        "Virtualization": "hvm",
        "Placement": {"AvailabilityZone": subnet["AvailabilityZone"], "Tenancy": "default"},
        "AmiLaunchIndex": 0,
        "LaunchTime": now(),
        "Console": "",
    }


def _subnet(id_: str) -> Record:
    table = emulator.store("ec2", "_subnets")
    if not id_:
        emulator.of_service("ec2", "_ensure_defaults_initialized")()
        found = next((item for item in table.values() if item.get("DefaultForAz")), None)
        if found is None:
            raise ServiceError("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
        return dict(found)
    if id_ not in table:
        raise ServiceError("InvalidSubnetID.NotFound", f"The subnet ID '{id_}' does not exist")
    return dict(table[id_])


def _groups(ids: Iterable[str], vpc_id: str) -> list[Json]:
    table = emulator.store("ec2", "_security_groups")
    chosen = list(ids) or [
        key for key, item in table.items() if item.get("VpcId") == vpc_id and item.get("GroupName") == "default"
    ]
    for id_ in chosen:
        if id_ not in table:
            raise ServiceError("InvalidGroup.NotFound", f"The security group '{id_}' does not exist")
        if table[id_].get("VpcId") != vpc_id:
            raise ServiceError(
                "InvalidParameter", f"Security group {id_} and the subnet belong to different networks ({vpc_id})."
            )
    return [{"GroupId": id_, "GroupName": table[id_].get("GroupName", id_)} for id_ in chosen]


def _free_address(subnet: Record) -> str:
    taken = {
        item["PrivateIpAddress"]
        for item in emulator.store("ec2", "_instances").values()
        if item["SubnetId"] == subnet["SubnetId"] and item["State"]["Name"] != "terminated"
    }
    taken |= {item.get("PrivateIpAddress") for item in emulator.store("ec2", "_network_interfaces").values()}
    network = ip_network(subnet["CidrBlock"])
    for number in range(_RESERVED, network.num_addresses - 1):
        address = str(network[number])
        if address not in taken:
            return address
    raise ServiceError(
        "InsufficientFreeAddressesInSubnet", f"There are not enough free addresses in subnet '{subnet['SubnetId']}'."
    )


def _is_public(interface: Mapping[str, Json], subnet: Record) -> str:
    """A public address for one that gets it; routed nowhere (RFC 2544)."""
    wanted = interface.get("AssociatePublicIpAddress", subnet.get("MapPublicIpOnLaunch", False))
    return f"198.19.{int(time.time_ns() >> 8) % 256}.{int(time.time_ns()) % 254 + 1}" if wanted else ""


def _profile(given: Mapping[str, str]) -> Record | None:
    if not given:
        return None
    wanted = given.get("Name") or str(given.get("Arn", "")).rpartition("/")[2]
    found = emulator.store("iam", "_instance_profiles").get(wanted)
    if found is None or (given.get("Arn") and given["Arn"] != found["Arn"]):
        part = "arn" if given.get("Arn") else "name"
        raise ServiceError(
            "InvalidParameterValue",
            f"Value ({given.get('Arn') or wanted}) for parameter iamInstanceProfile.{part} is invalid. "
            f"Invalid IAM Instance Profile {'ARN' if part == 'arn' else 'name'}",
        )
    return {"Arn": found["Arn"], "Id": found["InstanceProfileId"]}


def _user_data(encoded: str) -> str:
    try:
        plain = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise ServiceError("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from None
    if len(plain) > USER_DATA_BYTES:
        raise ServiceError("InvalidParameterValue", f"User data is limited to {USER_DATA_BYTES} bytes")
    return encoded


def _volumes(record: Record, mappings: Iterable[Mapping[str, Json]]) -> list[Json]:
    made = []
    for mapping in list(mappings) or [{"DeviceName": record["RootDeviceName"]}]:
        ebs: Mapping[str, Json] = mapping.get("Ebs") or {}
        id_, device = new_id("vol"), mapping.get("DeviceName") or record["RootDeviceName"]
        goes = bool(ebs.get("DeleteOnTermination", True))
        attached = {"VolumeId": id_, "InstanceId": record["InstanceId"], "Device": device, "State": "attached",
                    "AttachTime": record["LaunchTime"], "DeleteOnTermination": goes}  # fmt: skip
        emulator.store("ec2", "_volumes")[id_] = {
            "VolumeId": id_,
            "Size": int(ebs.get("VolumeSize") or 8),
            "AvailabilityZone": record["Placement"]["AvailabilityZone"],
            "State": "in-use",
            "VolumeType": ebs.get("VolumeType", "gp3"),
            "SnapshotId": "",
            "Iops": int(ebs.get("Iops") or 3000),
            "Throughput": int(ebs.get("Throughput") or 125),
            "Encrypted": bool(ebs.get("Encrypted", False)),
            "KmsKeyId": ebs.get("KmsKeyId") or "",
            "CreateTime": record["LaunchTime"],
            "MultiAttachEnabled": False,
            "Attachments": [attached],
        }
        mine = {"VolumeId": id_, "Status": "attached", "AttachTime": record["LaunchTime"], "DeleteOnTermination": goes}
        made.append({"DeviceName": device, "Ebs": mine})
    return made


def _tags_of(settings: Mapping[str, Json], kind: str) -> dict[str, str]:
    return {
        tag["Key"]: str(tag.get("Value", ""))
        for specification in settings.get("TagSpecifications") or ()
        if specification.get("ResourceType") == kind
        for tag in specification.get("Tags") or ()
    }
