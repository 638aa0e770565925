"""The instance of a region: what depends on how it was born, and the one property that depends on what it is now.

Every property of `AWS::RDS::DBInstance` below was held against two lists of its schema (create-only and conditionally
create-only) and against what its handler sends when it creates a replica. A test does so again for every combination of
the live parameters.
"""

from __future__ import annotations

from typing import Any, Final

from bicoastal.blueprint.database.monitoring import EXPORTED_LOGS, LogGroups, replica_suffixes
from bicoastal.blueprint.secrets import MASTER_USERNAME, Secrets, local_arn
from bicoastal.blueprint.stack import DataClass, Resource, Stack
from bicoastal.cfn.intrinsics import Commented, Value, if_, ref, sub
from bicoastal.spec.model import Spec

ROLE_PRIMARY: Final = "primary"
ROLE_REPLICA: Final = "replica"
ORIGIN_NEW: Final = "new"
ORIGIN_REPLICA: Final = "replica"
PORT: Final = 5432
CERTIFICATE_AUTHORITY: Final = "rds-ca-rsa2048-g1"
"""In the CA bundle that the kit verifies against; valid until 2061."""
MONITORING_INTERVAL_S: Final = 60
INSIGHTS_DAYS: Final = 7
"""The retention that costs nothing."""


def instance_identifier(spec: Spec, generation: int | str, suffix: str = "") -> str:
    """`orders-production-db-g1`: what the instance of a generation is called, in either region."""
    return f"{spec.prefix}-db-g{generation}{suffix}"


def add_instance(
    stack: Stack,
    parameters: Resource,
    monitoring_role: Resource,
    logs: LogGroups,
    *,
    subnets: Value,
    security_group: Value,
    data_key: Value,
    secrets: Secrets,
) -> Resource:
    """The region's instance: Multi-AZ whether it is the primary or a replica, so that a promotion adds nothing."""
    subnet_group = stack.add(
        "DatabaseSubnets",
        "AWS::RDS::DBSubnetGroup",
        {"DBSubnetGroupDescription": f"{stack.spec.prefix}: data subnets", "SubnetIds": subnets},
    )
    properties = {
        "DBInstanceIdentifier": named(stack),
        "SourceDBInstanceIdentifier": Commented(
            if_("IsReplica", ref("SourceDatabaseArn")),
            "The only property that depends on DatabaseRole. Taking it away promotes the replica in place.",
        ),
        **_only_when_born_new(stack, secrets),
        "KmsKeyId": Commented(data_key, "This region's own key: a replica in another region needs one of its own."),
        "DBSubnetGroupName": subnet_group.ref,
        "VPCSecurityGroups": [security_group],
        "MultiAZ": True,
        **_backups(stack),
        **_same_for_every_instance(stack, parameters, monitoring_role, data_key),
        "DeletionProtection": True,
    }
    return stack.add(
        "DatabaseInstance",
        "AWS::RDS::DBInstance",
        properties,
        comment="Named by its generation. The next generation is created beside this one, which stays for inspection. "
        "A replacement without a new generation cannot happen: the name is taken, and the update fails first.",
        depends_on=logs.of(),
        data_class=DataClass.CUSTOMER,
        accept={**_ACCEPTED, **_ACCEPTED_FOR_ORIGINS, **_accepted_version(stack.spec)},
        DeletionPolicy="Snapshot",
        UpdateReplacePolicy="Retain",
    )


def add_read_replicas(
    stack: Stack,
    instance: Resource,
    parameters: Resource,
    monitoring_role: Resource,
    logs: LogGroups,
    *,
    security_group: Value,
    data_key: Value,
) -> tuple[Resource, ...]:
    """More readers inside the region, as many as the spec asks for; in the standby they follow its replica."""
    return tuple(
        stack.add(
            f"DatabaseReplica{suffix.removeprefix('-').upper()}",
            "AWS::RDS::DBInstance",
            {
                "DBInstanceIdentifier": named(stack, suffix),
                "SourceDBInstanceIdentifier": named(stack),
                "VPCSecurityGroups": [security_group],
                "MultiAZ": False,
                "BackupRetentionPeriod": Commented(0, "Its source is backed up."),
                **_same_for_every_instance(stack, parameters, monitoring_role, data_key),
            },
            comment="A reader of this region's instance; its key, subnets and storage are those of its source.",
            depends_on=[instance, *logs.of(suffix)],
            data_class=DataClass.CUSTOMER,
            accept={**_ACCEPTED, **_ACCEPTED_FOR_READERS, **_accepted_version(stack.spec)},
            DeletionPolicy="Delete",
            UpdateReplacePolicy="Delete",
        )
        for suffix in replica_suffixes(stack)
    )


def named(stack: Stack, suffix: str = "") -> Value:
    """The identifier of this generation's instance, or of a reader beside it, written out.

    Whatever names the instance takes this and not its `Ref`. A promotion is a change that might replace the instance,
    as far as CloudFormation knows beforehand: everything that refers to it would stand in the change set too, and a
    failover wants to read there one resource and one property (D2).
    """
    return sub(instance_identifier(stack.spec, "${DatabaseGeneration}", suffix))


def _only_when_born_new(stack: Stack, secrets: Secrets) -> dict[str, Value]:
    """What a replica takes from its source: absent there, before and after its promotion alike."""
    database = stack.spec.database
    password = sub(
        "{{resolve:secretsmanager:${Secret}:SecretString:password}}",
        {"Secret": local_arn(stack, secrets.master_secret_arn)},
    )
    return {
        "MasterUsername": Commented(
            if_("BornNew", MASTER_USERNAME),
            "This and the next five come from the source when the instance was born as a replica. They depend on how "
            "it was born and not on what it is now, or a promotion would replace the database.",
        ),
        "MasterUserPassword": if_("BornNew", password),
        "DBName": if_("BornNew", database.name),
        "EngineVersion": if_("BornNew", database.engine_version),
        "AllocatedStorage": if_("BornNew", str(database.storage_gib)),
        "StorageEncrypted": Commented(
            if_("BornNew", True), "A replica is encrypted because its source is; the property is not allowed on it."
        ),
    }


def _backups(stack: Stack) -> dict[str, Value]:
    windows = {name: region.database_backup_window for name, region in stack.spec.regions.items()}
    return {
        "BackupRetentionPeriod": Commented(
            stack.spec.database.automated_backup_days,
            "Days. Daily, because a replica needs its source's; the backups that are kept are AWS Backup's.",
        ),
        "PreferredBackupWindow": Commented(
            stack.setting("BackupWindow", windows, "Daily, UTC: RDS's own backup."),
            "A replica can't be promoted while its backup runs: the quietest time of its region.",
        ),
        "CopyTagsToSnapshot": True,
    }


def _same_for_every_instance(
    stack: Stack, parameters: Resource, monitoring_role: Resource, data_key: Value
) -> dict[str, Any]:
    database = stack.spec.database
    return {
        "Engine": Commented("postgres", "Without it, creating a replica would ask the other region's API for it."),
        "DBInstanceClass": database.instance_class,
        "StorageType": "gp3",
        "MaxAllocatedStorage": database.max_storage_gib,
        "DBParameterGroupName": parameters.ref,
        "Port": str(PORT),
        "PubliclyAccessible": False,
        "CACertificateIdentifier": CERTIFICATE_AUTHORITY,
        "AutoMinorVersionUpgrade": _chooses_minor_version(stack.spec),
        "PreferredMaintenanceWindow": _maintenance_window(stack),
        "EnableCloudwatchLogsExports": list(EXPORTED_LOGS),
        "MonitoringInterval": MONITORING_INTERVAL_S,
        "MonitoringRoleArn": monitoring_role.att("Arn"),
        "DatabaseInsightsMode": "standard",
        "EnablePerformanceInsights": True,
        "PerformanceInsightsKMSKeyId": data_key,
        "PerformanceInsightsRetentionPeriod": INSIGHTS_DAYS,
    }


def _maintenance_window(stack: Stack) -> Value:
    name = "MaintenanceWindow"
    if name in stack.sources[stack.spec.home]:
        return ref(name)
    windows = {region: item.maintenance_window for region, item in stack.spec.regions.items()}
    return stack.setting(name, windows, "Weekly, UTC. The regions' windows differ: never both databases at once.")


def _chooses_minor_version(spec: Spec) -> bool:
    """A spec that names the major version alone leaves the minor one to RDS, security fixes included."""
    return "." not in spec.database.engine_version


_ACCEPTED: Final = {
    "CKV_AWS_161": "Roles sign in with passwords of their own from Secrets Manager. IAM authentication would be a "
    "second way in that nobody uses, and would make every new connection depend on another service.",
}

_ACCEPTED_FOR_ORIGINS: Final = {
    "CKV_AWS_16": "Encrypted from birth, or because its source is; the check does not read the condition.",
    "E3720": "A replica has a key of its own and no StorageEncrypted: AWS (and E3020) refuse it beside a source.",
    "W3691": "The check knows no major version alone, for which RDS takes its default minor one, and no condition.",
    "F3020": "The check does not read the conditions: none of these is there together with a source.",
    "E9006": "The check does not read the condition: it takes an absent version for an empty one.",
    "W9008": "Encrypted from birth, or because its source is; the check does not read the condition.",
}

_ACCEPTED_FOR_READERS: Final = {
    "CKV_AWS_16": "Encrypted because its source is: RDS uses the source's key and refuses to be told one.",
    "CKV_AWS_157": "It holds nothing that its source does not; the source is Multi-AZ.",
    "CKV_AWS_293": "It holds nothing that its source does not, and goes with its generation.",
    "CKV_AWS_133": "It holds nothing that its source does not; the source is backed up.",
}


def _accepted_version(spec: Spec) -> dict[str, str]:
    if _chooses_minor_version(spec):
        return {}
    return {"CKV_AWS_226": "The spec names a minor version: it changes when the spec does, in both regions."}
