"""VPC peering connections, with the DNS option of each side."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers.ec2 import Record, new_id, now, put_tags, selected, tag_set
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, ServiceError, Wanted

Json = Any


class Peering(ResourceType):
    """A peering connection. CloudFormation accepts it itself where both sides are of one account."""

    type = "AWS::EC2::VPCPeeringConnection"

    def create(self, wanted: Wanted) -> Made:
        """Ask and accept. A VPC that is not there, or overlaps, fails it, as on EC2."""
        here = emulator.store("ec2", "_vpcs")[wanted.get("VpcId")]
        other_region = wanted.get("PeerRegion", emulator.region())
        with emulator.in_region(other_region):
            other = emulator.store("ec2", "_vpcs").get(wanted.get("PeerVpcId"))
        if other is None:
            raise Refused(f"The vpc ID '{wanted.get('PeerVpcId')}' does not exist in {other_region} (failed)")
        if ip_network(here["CidrBlock"]).overlaps(ip_network(other["CidrBlock"])):
            raise Refused("Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range (failed)")
        id_ = new_id("pcx")
        emulator.of_service("ec2", "_put_vpc_peering_record")(
            {
                "VpcPeeringConnectionId": id_,
                "RequesterVpcInfo": _side(here, emulator.region()),
                "AccepterVpcInfo": _side(other, other_region),
                "Status": {"Code": "active", "Message": "Active"},
                "ExpirationTime": now(),
                "Tags": [],
            }
        )
        put_tags(id_, wanted.tags)
        return Made(id_, {"Id": id_})

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Tags change."""
        put_tags(id_, wanted.tags)
        return Made(id_, {"Id": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """End it on both sides; it stays visible as deleted."""
        if id_ in emulator.store("ec2", "_vpc_peering"):
            emulator.query("ec2", "DeleteVpcPeeringConnection", VpcPeeringConnectionId=id_)


def _side(vpc: Record, region: str) -> Record:
    return {
        "VpcId": vpc["VpcId"],
        "CidrBlock": vpc["CidrBlock"],
        "OwnerId": emulator.account(),
        "Region": region,
        "Dns": False,
    }


def describe_peerings(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeVpcPeeringConnections, with blocks and the DNS option of each side."""
    records = [
        {
            **record,
            "status-code": record["Status"]["Code"],
            "requester": record["RequesterVpcInfo"]["VpcId"],
            "accepter": record["AccepterVpcInfo"]["VpcId"],
        }
        for record in emulator.store("ec2", "_vpc_peering").values()
    ]
    fields = {
        "status-code": "status-code",
        "requester-vpc-info.vpc-id": "requester",
        "accepter-vpc-info.vpc-id": "accepter",
        "vpc-peering-connection-id": "VpcPeeringConnectionId",
    }
    found = selected(records, request, "VpcPeeringConnectionId", fields, "VpcPeeringConnectionId")
    return {"vpcPeeringConnectionSet": [_peering_answer(record) for record in found]}


def _peering_answer(record: Record) -> Record:
    return {
        "vpcPeeringConnectionId": record["VpcPeeringConnectionId"],
        "requesterVpcInfo": _side_answer(record["RequesterVpcInfo"]),
        "accepterVpcInfo": _side_answer(record["AccepterVpcInfo"]),
        "status": {"code": record["Status"]["Code"], "message": record["Status"]["Message"]},
        "tagSet": tag_set(record["VpcPeeringConnectionId"]),
    }


def _side_answer(side: Record) -> Record:
    return {
        "vpcId": side["VpcId"],
        "ownerId": side["OwnerId"],
        "region": side["Region"],
        "cidrBlock": side.get("CidrBlock"),
        "peeringOptions": {"allowDnsResolutionFromRemoteVpc": side.get("Dns", False)},
    }


def modify_peering_options(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """ModifyVpcPeeringConnectionOptions: each side sets its own, in its own region."""
    id_ = request["VpcPeeringConnectionId"]
    record = emulator.store("ec2", "_vpc_peering").get(id_)
    if record is None:
        raise ServiceError(
            "InvalidVpcPeeringConnectionID.NotFound", f"The vpcPeeringConnection ID '{id_}' does not exist"
        )
    answer: Record = {}
    for name, side in (("Requester", "RequesterVpcInfo"), ("Accepter", "AccepterVpcInfo")):
        options = request.get(f"{name}PeeringConnectionOptions")
        if options is None:
            continue
        if record[side]["Region"] != emulator.region():
            raise ServiceError("OperationNotPermitted", f"The {name.lower()} is modified in its own region")
        record[side]["Dns"] = options.get("AllowDnsResolutionFromRemoteVpc") == "true"
        answer[f"{name.lower()}PeeringConnectionOptions"] = {"allowDnsResolutionFromRemoteVpc": record[side]["Dns"]}
    emulator.of_service("ec2", "_put_vpc_peering_record")(record)
    return answer


TYPES = (Peering(),)
ACTIONS = {
    "DescribeVpcPeeringConnections": describe_peerings,
    "ModifyVpcPeeringConnectionOptions": modify_peering_options,
}
