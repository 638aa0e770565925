"""Network ACLs with their ports and their subnets: what ministack leaves out of them decides what passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers.ec2 import new_id, put_tags, selected, tag_set, tags_of_request
from bicoastal.twin.cloud.registry import Fixed, Made, ResourceType, ServiceError, Wanted

Json = Any
Record = dict[str, Json]
_LAST = 32767
"""The rule that denies what no other one decided; EC2 shows it as `*`."""


def create(vpc_id: str, tags: Mapping[str, str]) -> str:
    """A new ACL: it denies everything."""
    if vpc_id not in emulator.store("ec2", "_vpcs"):
        raise ServiceError("InvalidVpcID.NotFound", f"The vpc ID '{vpc_id}' does not exist")
    id_ = new_id("acl")
    deny = {"RuleNumber": _LAST, "Protocol": "-1", "RuleAction": "deny", "CidrBlock": "0.0.0.0/0"}
    emulator.store("ec2", "_network_acls")[id_] = {
        "NetworkAclId": id_,
        "VpcId": vpc_id,
        "IsDefault": False,
        "Entries": [{**deny, "Egress": False}, {**deny, "Egress": True}],
        "Associations": [],
        "Tags": [],
        "OwnerId": emulator.account(),
    }
    put_tags(id_, tags)
    return id_


def put_entry(acl_id: str, entry: Record, *, replace: bool) -> None:
    """Add an entry, or put it in the place of the one of its number."""
    acl = _acl(acl_id)
    others = [old for old in acl["Entries"] if _key(old) != _key(entry)]
    if len(others) < len(acl["Entries"]) and not replace:
        raise ServiceError("NetworkAclEntryAlreadyExists", f"The network acl entry identified by {_key(entry)} exists")
    acl["Entries"] = [*others, entry]


def associate(subnet_id: str, acl_id: str) -> str:
    """Put a subnet under an ACL; it leaves the one that it was under."""
    acl = _acl(acl_id)
    for other in emulator.store("ec2", "_network_acls").values():
        other["Associations"] = [item for item in other["Associations"] if item["SubnetId"] != subnet_id]
    id_ = new_id("aclassoc")
    acl["Associations"].append({"NetworkAclAssociationId": id_, "SubnetId": subnet_id})
    return id_


def _acl(id_: str) -> Record:
    found: Record | None = emulator.store("ec2", "_network_acls").get(id_)
    if found is None:
        raise ServiceError("InvalidNetworkAclID.NotFound", f"The networkAcl ID '{id_}' does not exist")
    return found


def _key(entry: Record) -> tuple[int, bool]:
    return int(entry["RuleNumber"]), bool(entry["Egress"])


class NetworkAcl(ResourceType):
    """An ACL."""

    type = "AWS::EC2::NetworkAcl"

    def create(self, wanted: Wanted) -> Made:
        """Make it, denying everything."""
        id_ = create(wanted.get("VpcId"), wanted.tags)
        return Made(id_, {"Id": id_})

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Tags change."""
        put_tags(id_, wanted.tags)
        return Made(id_, {"Id": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it; EC2 refuses it while subnets are under it."""
        acl = emulator.store("ec2", "_network_acls").get(id_)
        if acl is None:
            return
        if acl["Associations"]:
            raise ServiceError("DependencyViolation", f"The networkAcl '{id_}' has dependencies and cannot be deleted.")
        del emulator.store("ec2", "_network_acls")[id_]


class Entry(ResourceType):
    """A rule of an ACL."""

    type = "AWS::EC2::NetworkAclEntry"

    def create(self, wanted: Wanted) -> Made:
        """Add it. TCP and UDP need ports, as EC2 says."""
        return self._put(wanted, replace=False)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Put it in its place."""
        return self._put(wanted, replace=True)

    def delete(self, id_: str, was: Wanted) -> None:
        """Take it out of its ACL, if that is still there."""
        acl = emulator.store("ec2", "_network_acls").get(was.get("NetworkAclId"))
        if acl is not None:
            key = (int(was.get("RuleNumber")), bool(was.get("Egress", False)))
            acl["Entries"] = [entry for entry in acl["Entries"] if _key(entry) != key]

    def _put(self, wanted: Wanted, *, replace: bool) -> Made:
        protocol = str(wanted.get("Protocol"))
        if protocol in ("6", "17") and not wanted.get("PortRange"):
            raise ServiceError("MissingParameter", "The request must contain the parameter portRange")
        entry: Record = {
            "RuleNumber": int(wanted.get("RuleNumber")),
            "Protocol": protocol,
            "RuleAction": wanted.get("RuleAction"),
            "Egress": bool(wanted.get("Egress", False)),
            "PortRange": wanted.get("PortRange"),
            "Icmp": wanted.get("Icmp"),
        }
        entry.update({name: wanted.get(name) for name in ("CidrBlock", "Ipv6CidrBlock") if wanted.get(name)})
        put_entry(wanted.get("NetworkAclId"), entry, replace=replace)
        id_ = f"{wanted.get('NetworkAclId')}|{entry['RuleNumber']}|{str(entry['Egress']).lower()}"
        return Made(id_, {"Id": id_})


class Association(Fixed):
    """A subnet under an ACL."""

    type = "AWS::EC2::SubnetNetworkAclAssociation"

    def create(self, wanted: Wanted) -> Made:
        """Move the subnet to the ACL."""
        id_ = associate(wanted.get("SubnetId"), wanted.get("NetworkAclId"))
        return Made(id_, {"AssociationId": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """The subnet falls back to its VPC's default ACL."""
        for acl in emulator.store("ec2", "_network_acls").values():
            acl["Associations"] = [item for item in acl["Associations"] if item["NetworkAclAssociationId"] != id_]


def describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeNetworkAcls. A subnet that nobody put elsewhere is under its VPC's default ACL."""
    acls = list(emulator.store("ec2", "_network_acls").values())
    placed = {item["SubnetId"] for acl in acls for item in acl["Associations"]}
    records = []
    for acl in acls:
        under = list(acl["Associations"])
        if acl["IsDefault"]:
            under += [
                {"NetworkAclAssociationId": f"aclassoc-{id_.removeprefix('subnet-')}", "SubnetId": id_}
                for id_, subnet in emulator.store("ec2", "_subnets").items()
                if subnet["VpcId"] == acl["VpcId"] and id_ not in placed
            ]
        records.append({**acl, "Associations": under})
    for condition in request.get("Filter", ()):
        if condition["Name"] == "association.subnet-id":
            wanted = set(condition.get("Value", ()))
            records = [acl for acl in records if wanted & {item["SubnetId"] for item in acl["Associations"]}]
    others = [item for item in request.get("Filter", ()) if item["Name"] != "association.subnet-id"]
    fields = {"vpc-id": "VpcId", "default": "IsDefault", "network-acl-id": "NetworkAclId"}
    found = selected(records, {**request, "Filter": others}, "NetworkAclId", fields, "NetworkAclId")
    return {"networkAclSet": [_answer(acl) for acl in found]}


def _answer(acl: Record) -> Record:
    return {
        "networkAclId": acl["NetworkAclId"],
        "vpcId": acl["VpcId"],
        "default": acl["IsDefault"],
        "ownerId": acl["OwnerId"],
        "entrySet": [_entry_answer(entry) for entry in sorted(acl["Entries"], key=_key)],
        "associationSet": [
            {
                "networkAclAssociationId": item["NetworkAclAssociationId"],
                "networkAclId": acl["NetworkAclId"],
                "subnetId": item["SubnetId"],
            }
            for item in acl["Associations"]
        ],
        "tagSet": tag_set(acl["NetworkAclId"]),
    }


def _entry_answer(entry: Record) -> Record:
    ports, icmp = entry.get("PortRange"), entry.get("Icmp")
    return {
        "ruleNumber": entry["RuleNumber"],
        "protocol": entry["Protocol"],
        "ruleAction": entry["RuleAction"],
        "egress": entry["Egress"],
        "cidrBlock": entry.get("CidrBlock"),
        "ipv6CidrBlock": entry.get("Ipv6CidrBlock"),
        "portRange": {"from": ports["From"], "to": ports["To"]} if ports else None,
        "icmpTypeCode": {"code": icmp.get("Code"), "type": icmp.get("Type")} if icmp else None,
    }


def _api_create(request: Mapping[str, Json]) -> Mapping[str, Json]:
    id_ = create(request.get("VpcId", ""), tags_of_request(request))
    return {"networkAcl": describe({"NetworkAclId": [id_]})["networkAclSet"][0]}


def _api_put(request: Mapping[str, Json], *, replace: bool) -> Mapping[str, Json]:
    ports, icmp = request.get("PortRange"), request.get("Icmp")
    entry: Record = {
        "RuleNumber": int(request["RuleNumber"]),
        "Protocol": str(request.get("Protocol", "-1")),
        "RuleAction": request["RuleAction"],
        "Egress": request.get("Egress") == "true",
        "PortRange": {name: int(value) for name, value in ports.items()} if ports else None,
        "Icmp": {name: int(value) for name, value in icmp.items()} if icmp else None,
    }
    entry.update({name: request[name] for name in ("CidrBlock", "Ipv6CidrBlock") if name in request})
    put_entry(request["NetworkAclId"], entry, replace=replace)
    return {"return": True}


def _api_associate(request: Mapping[str, Json]) -> Mapping[str, Json]:
    for acl in describe({})["networkAclSet"]:
        for item in acl["associationSet"]:
            if item["networkAclAssociationId"] == request["AssociationId"]:
                return {"newAssociationId": associate(item["subnetId"], request["NetworkAclId"])}
    raise ServiceError(
        "InvalidAssociationID.NotFound", f"The association ID '{request['AssociationId']}' does not exist"
    )


TYPES = (NetworkAcl(), Entry(), Association())
ACTIONS = {
    "CreateNetworkAcl": _api_create,
    "DescribeNetworkAcls": describe,
    "CreateNetworkAclEntry": lambda request: _api_put(request, replace=False),
    "ReplaceNetworkAclEntry": lambda request: _api_put(request, replace=True),
    "ReplaceNetworkAclAssociation": _api_associate,
}
