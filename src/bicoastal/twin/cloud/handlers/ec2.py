"""What EC2's resources have in common here, rules of security groups, and the check of routes.

ministack keeps EC2's network in part, without the fields that decide whether a packet passes; what is written here and
beside (`nat_gateways`, `peerings`, `flow_logs`, `network_acls`, `vpc_endpoints`) is kept in its tables, so that its own
actions go on working with it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Fixed, Made, Refused, ServiceError, Wanted

Json = Any
Record = dict[str, Json]


def new_id(prefix: str) -> str:
    """An id as EC2 makes them."""
    return f"{prefix}-{secrets.token_hex(9)[:17]}"


def now() -> str:
    """The time as EC2 writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def put_tags(id_: str, tags: Mapping[str, str]) -> None:
    """Set a resource's tags to these; an id without a record has none."""
    emulator.store("ec2", "_tags")[id_] = [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_set(id_: str) -> list[Json]:
    """A resource's tags, as EC2 answers them."""
    return [{"key": tag["Key"], "value": tag.get("Value", "")} for tag in emulator.store("ec2", "_tags").get(id_, ())]


def tags_of_request(request: Mapping[str, Json]) -> dict[str, str]:
    """The tags that a call to create something carries."""
    return {
        tag["Key"]: tag.get("Value", "")
        for specification in request.get("TagSpecification", ())
        for tag in specification.get("Tag", ())
    }


def selected(
    records: Iterable[Record], request: Mapping[str, Json], ids: str, fields: Mapping[str, str], id_field: str
) -> list[Record]:
    """The records that a Describe asks for, by ids and filters; a filter that is unknown here is refused, as by EC2."""
    wanted = request.get(ids)
    found = [record for record in records if not wanted or record[id_field] in wanted]
    if wanted and len(found) < len(wanted):
        missing = set(wanted) - {record[id_field] for record in found}
        raise ServiceError(f"Invalid{id_field}.NotFound", f"The ID '{', '.join(sorted(missing))}' does not exist")
    for condition in request.get("Filter", ()):
        name, values = condition["Name"], condition.get("Value", [])
        found = [record for record in found if _passes(record, name, values, fields, id_field)]
    return found


def _passes(record: Record, name: str, values: list[str], fields: Mapping[str, str], id_field: str) -> bool:
    if name.startswith("tag"):
        tags = {tag["key"]: tag["value"] for tag in tag_set(record[id_field])}
        if name == "tag-key":
            return any(key in values for key in tags)
        return tags.get(name.removeprefix("tag:")) in values
    if name not in fields:
        raise ServiceError("InvalidParameterValue", f"The filter '{name}' is invalid")
    value = record.get(fields[name])
    return (str(value).lower() if isinstance(value, bool) else str(value)) in values


class Ingress(Fixed):
    """A rule that lets in, on its own beside its group."""

    type = "AWS::EC2::SecurityGroupIngress"
    _direction = "Ingress"
    _peer = "SourceSecurityGroupId"

    def create(self, wanted: Wanted) -> Made:
        """Add it. EC2 refuses a rule that is there already."""
        self._call("Authorize", wanted)
        id_ = new_id("sgr")
        return Made(id_, {"Id": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """Take it away; with its group it is gone already."""
        if was.get("GroupId") not in emulator.store("ec2", "_security_groups"):
            return
        try:
            self._call("Revoke", was)
        except ServiceError as error:
            if error.code != "InvalidPermission.NotFound":
                raise

    def _call(self, verb: str, wanted: Wanted) -> None:
        rule: Record = {name: wanted.get(name) for name in ("IpProtocol", "FromPort", "ToPort")}
        described = {"Description": wanted.get("Description")}
        if wanted.get("CidrIp"):
            rule["IpRanges"] = [{"CidrIp": wanted.get("CidrIp"), **described}]
        if wanted.get("CidrIpv6"):
            rule["Ipv6Ranges"] = [{"CidrIpv6": wanted.get("CidrIpv6"), **described}]
        if wanted.get(self._peer):
            rule["Groups"] = [{"GroupId": wanted.get(self._peer), **described}]
        emulator.query(
            "ec2", f"{verb}SecurityGroup{self._direction}", GroupId=wanted.get("GroupId"), IpPermissions=[rule]
        )


class Egress(Ingress):
    """A rule that lets out."""

    type = "AWS::EC2::SecurityGroupEgress"
    _direction = "Egress"
    _peer = "DestinationSecurityGroupId"


def check_route(wanted: Wanted) -> None:
    """One route to a destination in a table: EC2 refuses a second one."""
    table = emulator.store("ec2", "_route_tables")[wanted.get("RouteTableId")]
    destination = wanted.get("DestinationCidrBlock")
    if destination and any(route.get("DestinationCidrBlock") == destination for route in table["Routes"]):
        raise Refused(f"The route identified by {destination} already exists. (RouteAlreadyExists)")


TYPES = (Ingress(), Egress())
