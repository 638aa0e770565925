"""What exposes, loses or strands the data."""

from __future__ import annotations

from bench.faults.base import of, ref, sub
from bench.faults.fault import GONE, Fault

_ANYWHERE = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "0.0.0.0/0"}

FAULTS = (
    Fault("database-open-to-the-world", {("east", "DataGroup", "SecurityGroupIngress", 1): _ANYWHERE}, "port"),
    Fault(
        "database-open-to-the-world",
        {("west", "DataGroup", "SecurityGroupIngress", 0): {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}},
        "everything",
    ),
    Fault("database-publicly-accessible", {("west", "Database", "PubliclyAccessible"): True}),
    Fault(
        "application-cannot-reach-database",
        {("east", "DataGroup", "SecurityGroupIngress", 0, "SourceSecurityGroupId"): ref("BalancerGroup")},
        "group",
    ),
    Fault(
        "application-cannot-reach-database",
        {
            ("east", "DataAcl"): of("EC2::NetworkAcl", VpcId=ref("Vpc")),
            ("east", "DataAclIn"): of(
                "EC2::NetworkAclEntry",
                NetworkAclId=ref("DataAcl"),
                RuleNumber=100,
                Protocol=6,
                RuleAction="allow",
                CidrBlock="10.0.16.0/20",
                PortRange={"From": 5432, "To": 5432},
            ),
            ("east", "DataAclOut"): of(
                "EC2::NetworkAclEntry",
                NetworkAclId=ref("DataAcl"),
                RuleNumber=100,
                Egress=True,
                Protocol=6,
                RuleAction="allow",
                CidrBlock="10.0.16.0/20",
                PortRange={"From": 5432, "To": 5432},
            ),
            ("east", "DataAclA"): of(
                "EC2::SubnetNetworkAclAssociation", SubnetId=ref("DataSubnetA"), NetworkAclId=ref("DataAcl")
            ),
        },
        "answers",
    ),
    Fault("database-in-one-zone", {("east", "Database", "MultiAZ"): False}, "said"),
    Fault("database-in-one-zone", {("west", "Database", "MultiAZ"): GONE}, "default"),
    Fault("database-subnets-in-one-zone", {("west", "DataSubnetB", "AvailabilityZone"): "us-west-2a"}),
    Fault("replica-source-without-backups", {("east", "Database", "BackupRetentionPeriod"): 0}),
    Fault("replica-cannot-be-promoted-safely", {("west", "Database", "BackupRetentionPeriod"): 0}),
    Fault("replica-carries-own-login", {("west", "Database", "MasterUsername"): "shopmaster"}, "user"),
    Fault("replica-carries-own-login", {("west", "Database", "DBName"): "shop"}, "name"),
    Fault(
        "managed-password-with-replica",
        {
            ("east", "Database", "ManageMasterUserPassword"): True,
            ("east", "Database", "MasterUserPassword"): GONE,
        },
    ),
    Fault("replica-source-without-arn", {("west", "Database", "SourceDBInstanceIdentifier"): "shop-us-east-1"}),
    *(
        Fault(
            "promotion-replaces-database",
            {
                ("west", "Database", "SourceDBInstanceIdentifier"): {
                    "Fn::If": ["Copies", ref("SourceDatabase"), ref("AWS::NoValue")]
                },
                ("west", "Database", name): {"Fn::If": ["Copies", ref("AWS::NoValue"), value]},
            },
            name,
            {
                "west": {
                    "Parameters": {"Role": {"Type": "String", "Default": "copy", "AllowedValues": ["copy", "first"]}},
                    "Conditions": {"Copies": {"Fn::Equals": [ref("Role"), "copy"]}},
                }
            },
        )
        for name, value in (("MasterUsername", "shopmaster"), ("MultiAZ", True))
    ),
    Fault("database-not-encrypted", {("east", "Database", "StorageEncrypted"): False}, "said"),
    Fault("database-not-encrypted", {("east", "Database", "StorageEncrypted"): GONE}, "default"),
    Fault("wal-can-fill-primary", {("east", "Parameters", "Parameters", "max_slot_wal_keep_size"): GONE}, "default"),
    Fault("wal-can-fill-primary", {("east", "Parameters", "Parameters", "max_slot_wal_keep_size"): "-1"}, "said"),
    Fault("tls-not-forced", {("west", "Parameters", "Parameters", "rds.force_ssl"): "0"}),
    Fault("replacement-destroys-data", {("east", "Database", "UpdateReplacePolicy"): GONE}, "replaced"),
    Fault("replacement-destroys-data", {("west", "Database", "DeletionPolicy"): "Delete"}, "deleted"),
    Fault("replacement-destroys-data", {("east", "Key", "DeletionPolicy"): GONE}, "key"),
    Fault("deletion-not-protected", {("east", "Database", "DeletionProtection"): False}, "said"),
    Fault("deletion-not-protected", {("west", "Database", "DeletionProtection"): GONE}, "default"),
    # Backups.
    Fault(
        "database-windows-overlap",
        {("east", "Database", "PreferredBackupWindow"): "06:15-06:45"},
    ),
    Fault(
        "backup-at-forbidden-time",
        {
            ("east", "Plan", "BackupPlan", "BackupPlanRule", 0, "ScheduleExpression"): "cron(30 2 ? * MON-FRI *)",
        },
        "before-automated",
    ),
    Fault(
        "backup-at-forbidden-time",
        {
            ("east", "Plan", "BackupPlan", "BackupPlanRule", 0, "ScheduleExpression"): "cron(10 23 ? * MON-FRI *)",
            ("east", "Plan", "BackupPlan", "BackupPlanRule", 0, "ScheduleExpressionTimezone"): "America/New_York",
        },
        "time-zone",
    ),
    Fault("backup-copied-nowhere", {("east", "Plan", "BackupPlan", "BackupPlanRule", 0, "CopyActions"): GONE}, "none"),
    Fault(
        "backup-copied-nowhere",
        {
            (
                "east",
                *("Plan", "BackupPlan", "BackupPlanRule", 0, "CopyActions", 0, "DestinationBackupVaultArn"),
            ): sub("arn:aws:backup:us-east-1:${AWS::AccountId}:backup-vault:other")
        },
        "same-region",
    ),
    Fault("plan-selects-nothing", {("east", "Selection"): GONE}),
    Fault("backup-role-cannot-back-up", {("east", "BackupRole", "ManagedPolicyArns"): GONE}, "rights"),
    Fault(
        "backup-role-cannot-back-up",
        {
            (
                "east",
                *("BackupRole", "AssumeRolePolicyDocument", "Statement", 0, "Principal", "Service"),
            ): "rds.amazonaws.com"
        },
        "trust",
    ),
    Fault(
        "backup-deleted-before-it-may",
        {
            ("east", "Plan", "BackupPlan", "BackupPlanRule", 0, "Lifecycle"): {
                "MoveToColdStorageAfterDays": 30,
                "DeleteAfterDays": 60,
            }
        },
    ),
    Fault("log-group-kept-for-ever", {("east", "ApplicationLog", "RetentionInDays"): GONE}),
)
