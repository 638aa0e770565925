"""Who talked to whom in the VPC, accepted and rejected, kept as long as other logs."""

from __future__ import annotations

from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow, policy, trust
from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.cfn.intrinsics import ACCOUNT, sub


def add_flow_logs(stack: Stack, foundation: Foundation, vpc: Resource) -> None:
    """The log, its group and the role that writes it."""
    group = stack.add(
        "FlowLogGroup",
        "AWS::Logs::LogGroup",
        {
            "LogGroupName": f"/{stack.spec.prefix}/flow-logs",
            "RetentionInDays": stack.spec.logs.retention_days,
            "KmsKeyId": stack.input(foundation.logs_key_arn),
        },
        data_class=DataClass.OPERATIONAL,
    )
    role = _add_role(stack, foundation, group)
    stack.add(
        "FlowLog",
        "AWS::EC2::FlowLog",
        {
            "ResourceType": "VPC",
            "ResourceId": vpc.ref,
            "TrafficType": "ALL",
            "MaxAggregationInterval": 600,
            "LogDestinationType": "cloud-watch-logs",
            "LogGroupName": group.ref,
            "DeliverLogsPermissionArn": role.att("Arn"),
        },
        data_class=DataClass.OPERATIONAL,
    )


def _add_role(stack: Stack, foundation: Foundation, group: Resource) -> Resource:
    source = sub("arn:${AWS::Partition}:ec2:${AWS::Region}:${AWS::AccountId}:vpc-flow-log/*")
    write = allow(
        "WriteFlowLogs",
        ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        [group.att("Arn")],
    )
    find = allow(
        "FindTheGroup",
        ["logs:DescribeLogGroups"],
        [sub("arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:*")],
    )
    return stack.add(
        "FlowLogRole",
        "AWS::IAM::Role",
        {
            "RoleName": sub(f"{stack.spec.prefix}-flow-logs-${{AWS::Region}}"),
            "AssumeRolePolicyDocument": trust(
                {"Service": "vpc-flow-logs.amazonaws.com"},
                {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": source}},
            ),
            "PermissionsBoundary": stack.input(foundation.boundary_arn),
            "Policies": [{"PolicyName": "flow-logs", "PolicyDocument": policy([write, find])}],
        },
    )
