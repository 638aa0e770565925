"""VPC endpoints with their groups, private names and routes: what ministack leaves out of them decides who gets there.

A gateway endpoint is a route to its service's prefix list in the tables that it names, and goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers.ec2 import new_id, now, put_tags, selected, tag_set, tags_of_request
from bicoastal.twin.cloud.registry import Made, ResourceType, ServiceError, Wanted

Json = Any
Record = dict[str, Json]
_FIELDS = {
    "vpc-endpoint-id": "VpcEndpointId",
    "vpc-id": "VpcId",
    "service-name": "ServiceName",
    "vpc-endpoint-type": "VpcEndpointType",
    "vpc-endpoint-state": "State",
}
_LISTS = {"RouteTableIds": "RouteTableId", "SubnetIds": "SubnetId", "SecurityGroupIds": "SecurityGroupId"}
"""A list of an endpoint, and the name of one item in requests."""


class VpcEndpoint(ResourceType):
    """An endpoint, of either kind."""

    type = "AWS::EC2::VPCEndpoint"

    def create(self, wanted: Wanted) -> Made:
        """Make it; EC2 refuses a second gateway endpoint to a service in a table."""
        id_ = _create(wanted.properties, wanted.tags)
        return self._made(id_)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Subnets, groups, tables, private names and policy change in place."""
        record = _record(id_)
        record.update(_settable(wanted.properties))
        _route(record)
        put_tags(id_, wanted.tags)
        return self._made(id_)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it, and its routes."""
        _delete(id_)

    def _made(self, id_: str) -> Made:
        record = _record(id_)
        return Made(id_, {"Id": id_, "CreationTimestamp": record["CreationTimestamp"]})


def _create(properties: Mapping[str, Json], tags: Mapping[str, str]) -> str:
    id_ = new_id("vpce")
    vpc = emulator.store("ec2", "_vpcs").get(properties.get("VpcId"))
    if vpc is None:
        raise ServiceError("InvalidVpcId.NotFound", f"The Vpc Id {properties.get('VpcId')} does not exist")
    record = {
        "VpcEndpointId": id_,
        "VpcEndpointType": properties.get("VpcEndpointType") or "Gateway",
        "VpcId": vpc["VpcId"],
        "ServiceName": properties.get("ServiceName", ""),
        "State": "available",
        **_settable(properties),
        # What ministack reads of its own records.
        "NetworkInterfaceIds": [],
        "DnsEntries": [],
        "OwnerId": emulator.account(),
        "CreationTimestamp": now(),
    }
    if record["VpcEndpointType"] == "Interface" and not record["SecurityGroupIds"]:
        record["SecurityGroupIds"] = _default_group(vpc["VpcId"])
    _route(record)
    emulator.store("ec2", "_vpc_endpoints")[id_] = record
    put_tags(id_, tags)
    return id_


def _settable(properties: Mapping[str, Json]) -> Record:
    return {
        **{name: list(properties.get(name) or ()) for name in _LISTS},
        "PrivateDnsEnabled": bool(properties.get("PrivateDnsEnabled", False)),
        "PolicyDocument": properties.get("PolicyDocument"),
    }


def _default_group(vpc_id: str) -> list[str]:
    groups = emulator.store("ec2", "_security_groups").values()
    return [group["GroupId"] for group in groups if group["VpcId"] == vpc_id and group["GroupName"] == "default"]


def _record(id_: str) -> Record:
    found: Record | None = emulator.store("ec2", "_vpc_endpoints").get(id_)
    if found is None:
        raise ServiceError("InvalidVpcEndpointId.NotFound", f"The Vpc Endpoint Id '{id_}' does not exist")
    return found


def _delete(id_: str) -> None:
    if emulator.store("ec2", "_vpc_endpoints").pop(id_, None) is not None:
        _withdraw(id_)
        emulator.store("ec2", "_tags").pop(id_, None)


def _withdraw(id_: str) -> None:
    for table in emulator.store("ec2", "_route_tables").values():
        table["Routes"] = [route for route in table["Routes"] if route.get("GatewayId") != id_]


def _route(record: Record) -> None:
    """Put the routes of a gateway endpoint where its tables say, and nowhere else."""
    if record["VpcEndpointType"] != "Gateway":
        return
    id_, tables = record["VpcEndpointId"], emulator.store("ec2", "_route_tables")
    prefix_list = emulator.of_service("ec2", "_aws_pl_id_from_name")(record["ServiceName"])
    for table_id in record["RouteTableIds"]:
        if table_id not in tables:
            raise ServiceError("InvalidRouteTableId.NotFound", f"The routeTable ID '{table_id}' does not exist")
        for route in tables[table_id]["Routes"]:
            if route.get("DestinationPrefixListId") == prefix_list and route.get("GatewayId") != id_:
                said = f"route table {table_id} already has a route with destination-prefix-list-id {prefix_list}"
                raise ServiceError("RouteAlreadyExists", said)
    _withdraw(id_)
    for table_id in record["RouteTableIds"]:
        route = {"DestinationPrefixListId": prefix_list, "GatewayId": id_, "State": "active"}
        tables[table_id]["Routes"].append(route)


def _describe(request: Mapping[str, Json]) -> Mapping[str, Json]:
    records = list(emulator.store("ec2", "_vpc_endpoints").values())
    found = selected(records, request, "VpcEndpointId", _FIELDS, "VpcEndpointId")
    return {"vpcEndpointSet": [_answer(record) for record in found]}


def _answer(record: Record) -> Record:
    return {
        "vpcEndpointId": record["VpcEndpointId"],
        "vpcEndpointType": record["VpcEndpointType"],
        "vpcId": record["VpcId"],
        "serviceName": record["ServiceName"],
        "state": record["State"],
        "ownerId": record["OwnerId"],
        "creationTimestamp": record.get("CreationTimestamp"),
        "privateDnsEnabled": record.get("PrivateDnsEnabled", False),
        "requesterManaged": False,
        "routeTableIdSet": list(record.get("RouteTableIds") or ()),
        "subnetIdSet": list(record.get("SubnetIds") or ()),
        "groupSet": [_group_answer(id_) for id_ in record.get("SecurityGroupIds") or ()],
        "tagSet": tag_set(record["VpcEndpointId"]),
    }


def _group_answer(id_: str) -> Record:
    group = emulator.store("ec2", "_security_groups").get(id_)
    return {"groupId": id_, "groupName": group["GroupName"] if group else None}


def _api_create(request: Mapping[str, Json]) -> Mapping[str, Json]:
    properties = {**request, **{name: _listed(request.get(one)) for name, one in _LISTS.items()}}
    # EC2's own default, where CloudFormation's is false.
    properties["PrivateDnsEnabled"] = request.get("PrivateDnsEnabled", "true") == "true"
    id_ = _create(properties, tags_of_request(request))
    return {"vpcEndpoint": _answer(_record(id_))}


def _api_modify(request: Mapping[str, Json]) -> Mapping[str, Json]:
    record = _record(request.get("VpcEndpointId", ""))
    for name, one in _LISTS.items():
        removed = set(_listed(request.get(f"Remove{one}")))
        kept = [item for item in record.get(name) or () if item not in removed]
        record[name] = list(dict.fromkeys([*kept, *_listed(request.get(f"Add{one}"))]))
    if "PrivateDnsEnabled" in request:
        record["PrivateDnsEnabled"] = request["PrivateDnsEnabled"] == "true"
    if "PolicyDocument" in request:
        record["PolicyDocument"] = request["PolicyDocument"]
    _route(record)
    return {"return": True}


def _api_delete(request: Mapping[str, Json]) -> Mapping[str, Json]:
    for id_ in _listed(request.get("VpcEndpointId")):
        _record(id_)
        _delete(id_)
    return {"unsuccessful": []}


def _listed(value: Json) -> list[str]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value] if value else []


TYPES = (VpcEndpoint(),)
ACTIONS = {
    "CreateVpcEndpoint": _api_create,
    "DescribeVpcEndpoints": _describe,
    "ModifyVpcEndpoint": _api_modify,
    "DeleteVpcEndpoints": _api_delete,
}
