"""The twelve wiring faults that six checkers of the field all missed."""

from __future__ import annotations

from bench.faults.base import USER_DATA, ref, sub
from bench.faults.fault import GONE, Fault

_STATEMENTS = ("Policies", 0, "PolicyDocument", "Statement")

FAULTS = (
    Fault(
        "metric-nobody-publishes",
        {("east", "MemoryHigh", "Dimensions"): [{"Name": "InstanceId", "Value": "i-0123456789abcdef0"}]},
        "by-instance",
    ),
    Fault("metric-nobody-publishes", {("west", "MemoryHigh", "Namespace"): "CWAgent"}, "other-namespace"),
    Fault(
        "metric-nobody-publishes",
        {("east", "Unhealthy", "Dimensions", 0, "Value"): ref("Balancer")},
        "arn-for-a-name",
    ),
    Fault("metric-nobody-publishes", {("west", "Unhealthy", "Dimensions", 0): GONE}, "half-the-dimensions"),
    Fault(
        "balancer-cannot-reach-targets",
        {
            ("east", "AppGroup", "SecurityGroupIngress", 0, "FromPort"): 80,
            ("east", "AppGroup", "SecurityGroupIngress", 0, "ToPort"): 80,
        },
        "port",
    ),
    Fault(
        "balancer-cannot-reach-targets",
        {("west", "AppGroup", "SecurityGroupIngress", 0, "SourceSecurityGroupId"): ref("DataGroup")},
        "peer",
    ),
    Fault(
        "balancer-cannot-reach-targets",
        {
            ("east", "BalancerGroup", "SecurityGroupEgress"): [
                {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
            ]
        },
        "way-out",
    ),
    Fault("database-in-public-subnet", {("east", "DataSubnetARoutes", "RouteTableId"): ref("PublicTable")}, "table"),
    Fault("database-in-public-subnet", {("west", "DataSubnets", "SubnetIds", 1): ref("PublicSubnetB")}, "subnet"),
    Fault(
        "failover-record-without-health-check",
        {
            ("names", "EastFirst", "HealthCheckId"): GONE,
            ("names", "EastFirst", "AliasTarget", "EvaluateTargetHealth"): False,
        },
    ),
    Fault(
        "secondary-in-primary-region",
        {("names", "WestSecond", "AliasTarget"): lambda old: {**old, "DNSName": ref("WestName")}},
    ),
    Fault(
        "backup-selects-nothing",
        {
            ("east", "Selection", "BackupSelection", "Resources"): GONE,
            ("east", "Selection", "BackupSelection", "ListOfTags"): [
                {"ConditionType": "STRINGEQUALS", "ConditionKey": "backup", "ConditionValue": "Daily"}
            ],
        },
        "by-tag",
    ),
    Fault(
        "backup-selects-nothing",
        {
            ("east", "Selection", "BackupSelection", "Resources"): [
                sub("arn:aws:rds:us-east-1:${AWS::AccountId}:db:store")
            ]
        },
        "by-name",
    ),
    Fault("log-group-not-declared", {("east", "ApplicationLog", "LogGroupName"): "/shop/app"}, "agent"),
    Fault("log-group-not-declared", {("west", "DatabaseLog"): GONE}, "database"),
    Fault("role-cannot-write-logs", {("east", "Role", *_STATEMENTS, 0, "Action"): "logs:CreateLogStream"}, "action"),
    Fault(
        "role-cannot-write-logs",
        {
            ("west", "Role", *_STATEMENTS, 0, "Resource"): sub(
                "arn:aws:logs:us-west-2:${AWS::AccountId}:log-group:/shop/web:*"
            )
        },
        "resource",
    ),
    Fault(
        "replica-key-of-other-region",
        {("west", "Database", "KmsKeyId"): sub("arn:aws:kms:us-east-1:${AWS::AccountId}:key/mrk-0123")},
    ),
    Fault("fleet-in-one-zone", {("east", "Fleet", "VPCZoneIdentifier"): [ref("AppSubnetA")]}, "one-subnet"),
    Fault("fleet-in-one-zone", {("west", "AppSubnetB", "AvailabilityZone"): "us-west-2a"}, "same-zone"),
    Fault("health-check-path-not-served", {("east", "Targets", "HealthCheckPath"): "/status"}, "group"),
    Fault(
        "health-check-path-not-served",
        {
            ("west", "Template", "LaunchTemplateData", "UserData"): {
                "Fn::Base64": sub(USER_DATA.replace('"/healthz"', '"/health"'))
            }
        },
        "server",
    ),
    Fault("peering-without-return-route", {("west", "DataTablePeerRoute"): GONE}, "gone"),
    Fault(
        "peering-without-return-route",
        {("east", "AppTableAPeerRoute", "DestinationCidrBlock"): "10.9.0.0/16"},
        "elsewhere",
    ),
)
