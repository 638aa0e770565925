"""Elastic IP addresses and NAT gateways."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers.ec2 import Record, new_id, now, put_tags, selected, tag_set, tags_of_request
from bicoastal.twin.cloud.registry import Made, ResourceType, ServiceError, Wanted

Json = Any


class Address(ResourceType):
    """An Elastic IP address."""

    type = "AWS::EC2::EIP"

    def create(self, wanted: Wanted) -> Made:
        """Allocate it; for an instance it is associated by who launches that."""
        id_ = new_id("eipalloc")
        address = f"198.18.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}"  # routed nowhere: RFC 2544
        emulator.store("ec2", "_addresses")[id_] = {
            "AllocationId": id_,
            "PublicIp": address,
            "Domain": wanted.get("Domain", "vpc"),
            "AssociationId": None,
            "InstanceId": wanted.get("InstanceId"),
            "NetworkInterfaceId": None,
            "PrivateIpAddress": None,
        }
        put_tags(id_, wanted.tags)
        return Made(address, {"AllocationId": id_, "PublicIp": address})

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Tags change."""
        allocation = self._allocation(id_)
        put_tags(allocation, wanted.tags)
        return Made(id_, {"AllocationId": allocation, "PublicIp": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """Release it; EC2 refuses it while a gateway uses it."""
        table = emulator.store("ec2", "_addresses")
        allocation = next((key for key, record in table.items() if record["PublicIp"] == id_), None)
        if allocation is None:
            return
        if table[allocation]["AssociationId"]:
            raise ServiceError("InvalidIPAddress.InUse", f"Address {id_} is in use.")
        del table[allocation]
        emulator.store("ec2", "_tags").pop(allocation, None)

    def _allocation(self, address: str) -> str:
        table = emulator.store("ec2", "_addresses")
        return next(str(key) for key, record in table.items() if record["PublicIp"] == address)


class NatGateway(ResourceType):
    """A zonal NAT gateway."""

    type = "AWS::EC2::NatGateway"

    def create(self, wanted: Wanted) -> Made:
        """Make it and take its address; a public one needs an internet gateway at its VPC."""
        id_ = create_nat_gateway(
            wanted.get("SubnetId"), wanted.get("AllocationId"), wanted.get("ConnectivityType", "public"), wanted.tags
        )
        return Made(id_, {"NatGatewayId": id_})

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Tags change."""
        put_tags(id_, wanted.tags)
        return Made(id_, {"NatGatewayId": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it and free its address."""
        delete_nat_gateway({"NatGatewayId": id_})


def create_nat_gateway(subnet_id: str, allocation: str | None, kind: str, tags: Mapping[str, str]) -> str:
    """Make a NAT gateway. Raises ServiceError as EC2 does."""
    subnet = emulator.store("ec2", "_subnets").get(subnet_id)
    if subnet is None:
        raise ServiceError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet_id}' does not exist")
    if kind == "public":
        _needs_internet(subnet["VpcId"])
        address = emulator.store("ec2", "_addresses").get(allocation or "")
        if address is None:
            raise ServiceError("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")
        if address["AssociationId"]:
            raise ServiceError("Resource.AlreadyAssociated", f"Elastic IP address [{allocation}] is already associated")
        address["AssociationId"] = new_id("eipassoc")
    id_ = new_id("nat")
    emulator.store("ec2", "_nat_gateways")[id_] = {
        "NatGatewayId": id_,
        "SubnetId": subnet_id,
        "VpcId": subnet["VpcId"],
        "AllocationId": allocation,
        "ConnectivityType": kind,
        "State": "available",
        "CreateTime": now(),
        "Tags": [],
    }
    put_tags(id_, tags)
    return id_


def _needs_internet(vpc_id: str) -> None:
    for gateway in emulator.store("ec2", "_internet_gateways").values():
        if any(attachment.get("VpcId") == vpc_id for attachment in gateway.get("Attachments", ())):
            return
    raise ServiceError("Gateway.NotAttached", f"Network {vpc_id} has no Internet gateway attached")


def describe_nat_gateways(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeNatGateways, with each one's address."""
    fields = {"state": "State", "vpc-id": "VpcId", "subnet-id": "SubnetId", "nat-gateway-id": "NatGatewayId"}
    records = list(emulator.store("ec2", "_nat_gateways").values())
    return {
        "natGatewaySet": [
            {
                "natGatewayId": record["NatGatewayId"],
                "subnetId": record["SubnetId"],
                "vpcId": record["VpcId"],
                "state": record["State"],
                "connectivityType": record["ConnectivityType"],
                "createTime": record["CreateTime"],
                "natGatewayAddressSet": _nat_addresses(record),
                "tagSet": tag_set(record["NatGatewayId"]),
            }
            for record in selected(records, request, "NatGatewayId", fields, "NatGatewayId")
        ]
    }


def _nat_addresses(record: Record) -> list[Json]:
    address = emulator.store("ec2", "_addresses").get(record["AllocationId"] or "")
    if address is None:
        return []
    return [
        {
            "allocationId": address["AllocationId"],
            "publicIp": address["PublicIp"],
            "isPrimary": True,
            "status": "succeeded",
        }
    ]


def delete_nat_gateway(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DeleteNatGateway: it stays visible as deleted, as on EC2."""
    id_ = request["NatGatewayId"]
    record = emulator.store("ec2", "_nat_gateways").get(id_)
    if record is None:
        raise ServiceError("NatGatewayNotFound", f"NatGateway {id_} was not found")
    record["State"] = "deleted"
    address = emulator.store("ec2", "_addresses").get(record["AllocationId"] or "")
    if address:
        address["AssociationId"] = None
    return {"natGatewayId": id_}


def _api_create(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """CreateNatGateway."""
    id_ = create_nat_gateway(
        request.get("SubnetId", ""),
        request.get("AllocationId"),
        request.get("ConnectivityType", "public"),
        tags_of_request(request),
    )
    return {"natGateway": describe_nat_gateways({"NatGatewayId": [id_]})["natGatewaySet"][0]}


TYPES = (Address(), NatGateway())
ACTIONS = {
    "CreateNatGateway": _api_create,
    "DescribeNatGateways": describe_nat_gateways,
    "DeleteNatGateway": delete_nat_gateway,
}
