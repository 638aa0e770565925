"""EC2's network: addresses, NAT gateways, rules of security groups, flow logs, peering connections.

ministack keeps these in part, without the fields that decide whether a packet passes; what is written here is kept in
its tables, so that its own actions go on working with it. Network ACLs are beside, in `network_acls`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Fixed, Made, Refused, ResourceType, ServiceError, Wanted

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


class FlowLog(ResourceType):
    """A flow log into a log group."""

    type = "AWS::EC2::FlowLog"

    def create(self, wanted: Wanted) -> Made:
        """Make it. To a log group it needs a role, and the group of the name."""
        if wanted.get("LogDestinationType", "cloud-watch-logs") == "cloud-watch-logs" and not (
            wanted.get("DeliverLogsPermissionArn") and (wanted.get("LogGroupName") or wanted.get("LogDestination"))
        ):
            raise ServiceError("InvalidParameter", "A log group and DeliverLogsPermissionArn are required")
        id_ = new_id("fl")
        emulator.store("ec2", "_flow_logs")[id_] = {
            **{name: wanted.get(name) for name in _FLOW_LOG},
            "FlowLogId": id_,
            "LogDestinationType": wanted.get("LogDestinationType", "cloud-watch-logs"),
            "LogDestination": wanted.get("LogDestination") or wanted.get("LogGroupName"),
            "FlowLogStatus": "ACTIVE",
            "CreationTime": now(),
        }
        put_tags(id_, wanted.tags)
        return Made(id_, {"Id": id_})

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Tags change."""
        put_tags(id_, wanted.tags)
        return Made(id_, {"Id": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it."""
        emulator.store("ec2", "_flow_logs").pop(id_, None)
        emulator.store("ec2", "_tags").pop(id_, None)


_FLOW_LOG = (
    "ResourceId",
    "ResourceType",
    "TrafficType",
    "LogGroupName",
    "DeliverLogsPermissionArn",
    "MaxAggregationInterval",
)


def describe_flow_logs(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """DescribeFlowLogs, with group, role and interval."""
    fields = {"resource-id": "ResourceId", "flow-log-id": "FlowLogId", "log-group-name": "LogGroupName"}
    records = list(emulator.store("ec2", "_flow_logs").values())
    return {
        "flowLogSet": [
            {
                "flowLogId": record["FlowLogId"],
                "resourceId": record["ResourceId"],
                "trafficType": record["TrafficType"],
                "logDestinationType": record["LogDestinationType"],
                "logGroupName": record.get("LogGroupName"),
                "deliverLogsPermissionArn": record.get("DeliverLogsPermissionArn"),
                "maxAggregationInterval": record.get("MaxAggregationInterval") or 600,
                "flowLogStatus": record["FlowLogStatus"],
                "deliverLogsStatus": "SUCCESS",
                "creationTime": record["CreationTime"],
                "tagSet": tag_set(record["FlowLogId"]),
            }
            for record in selected(records, request, "FlowLogId", fields, "FlowLogId")
        ]
    }


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


def check_route(wanted: Wanted) -> None:
    """One route to a destination in a table: EC2 refuses a second one."""
    table = emulator.store("ec2", "_route_tables")[wanted.get("RouteTableId")]
    destination = wanted.get("DestinationCidrBlock")
    if destination and any(route.get("DestinationCidrBlock") == destination for route in table["Routes"]):
        raise Refused(f"The route identified by {destination} already exists. (RouteAlreadyExists)")


def api_create_nat_gateway(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """CreateNatGateway."""
    id_ = create_nat_gateway(
        request.get("SubnetId", ""),
        request.get("AllocationId"),
        request.get("ConnectivityType", "public"),
        tags_of_request(request),
    )
    return {"natGateway": describe_nat_gateways({"NatGatewayId": [id_]})["natGatewaySet"][0]}


TYPES = (Address(), NatGateway(), Ingress(), Egress(), FlowLog(), Peering())
ACTIONS = {
    "CreateNatGateway": api_create_nat_gateway,
    "DescribeNatGateways": describe_nat_gateways,
    "DeleteNatGateway": delete_nat_gateway,
    "DescribeFlowLogs": describe_flow_logs,
    "DescribeVpcPeeringConnections": describe_peerings,
    "ModifyVpcPeeringConnectionOptions": modify_peering_options,
}
