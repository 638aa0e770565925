"""Flow logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.handlers.ec2 import new_id, now, put_tags, selected, tag_set
from bicoastal.twin.cloud.registry import Made, ResourceType, ServiceError, Wanted

Json = Any


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


TYPES = (FlowLog(),)
ACTIONS = {"DescribeFlowLogs": describe_flow_logs}
