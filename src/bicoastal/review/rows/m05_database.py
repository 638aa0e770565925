"""M5: Multi-AZ PostgreSQL at home, a promotable replica in the standby, both kinds of manual failover."""

from __future__ import annotations

from collections.abc import Sequence

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown
from bicoastal.review.case import Case
from bicoastal.review.model.network import Kind
from bicoastal.review.rows.moving import judge_moving
from bicoastal.review.verdict import Judgement, number, same, where, yes

TITLE = "Multi-AZ PostgreSQL with a promotable replica in the other region"

ON_DEMAND = ("MasterUsername", "MasterUserPassword", "DBName", "ManageMasterUserPassword")
"""Refused on a read replica."""


def judge(case: Case) -> Judgement:
    """The pair of databases, what protects them, and the ways to move the primary."""
    judgement = Judgement()
    primary, replica = case.primary, case.standby_replica
    if not case.databases():
        judgement.lacks("There is no PostgreSQL database: no primary, no replica, nothing to fail over to.")
        return judgement
    if primary is None:
        judgement.lacks(f"{case.regions[0]} has no PostgreSQL primary.")
    elif _other_engine(judgement, primary):
        return judgement
    else:
        _instance(case, judgement, primary)
        _primary(judgement, primary)
    if not case.standby:
        pass
    elif replica is None:
        judgement.lacks(f"{case.standby} has no read replica of the database in {case.regions[0]}.")
    else:
        _instance(case, judgement, replica)
        _replica(case, judgement, replica, primary)
    for region in case.regions:
        _more_replicas(case, judgement, region)
        judge_moving(case, judgement, region)
        _replication_watched(case, judgement, region)
    _secrets(case, judgement)
    return judgement


def _other_engine(judgement: Judgement, primary: Resource) -> bool:
    """Says so where the database is another one than was asked for: the rest of the request would be noise."""
    engine = primary.get("Engine")
    if not isinstance(engine, str) or engine == "postgres":
        return False
    if engine == "aurora-postgresql":
        judgement.unsure(f"{where(primary)} is an instance of Aurora: its cluster is not looked into.")
    else:
        judgement.lacks(f"{where(primary)} is {engine}, not PostgreSQL: the rest is not looked into.")
    return True


def _instance(case: Case, judgement: Judgement, item: Resource) -> None:
    """What holds for both, so that a promoted replica lacks nothing."""
    judgement.expect(item, ("MultiAZ",), True, "it is not Multi-AZ", "Multi-AZ")
    if item.get("Engine") not in ("postgres", None) or (item.get("Engine") is None and not case.is_replica(item)):
        judgement.lacks(f"{where(item)} is no PostgreSQL.")
    wanted = case.demand.engine_version
    version = item.get("EngineVersion")
    if wanted and version is not None and not str(version).startswith(wanted):
        judgement.lacks(f"{where(item)} runs version {version}, not {wanted}.")
    if not case.is_replica(item) or item.get("KmsKeyId") is None:
        # A replica's storage is encrypted by naming a key: RDS takes StorageEncrypted from the source.
        judgement.expect(item, ("StorageEncrypted",), True, "its storage is not encrypted")
    if not (number(item.get("BackupRetentionPeriod")) or 0) >= 1:
        judgement.lacks(f"{where(item)} keeps no automated backups: it cannot be (or become) a replication source.")
    _subnets(case, judgement, item)
    _parameters(case, judgement, item)
    _monitoring(case, judgement, item)
    _watched(case, judgement, item)


def _subnets(case: Case, judgement: Judgement, item: Resource) -> None:
    group = case.deployment.resource(item.get("DBSubnetGroupName"))
    if group is None and item.get("DBSubnetGroupName") is not None:
        judgement.unsure(f"{where(item)}: its subnet group is not among these templates.")
        return
    if group is None:
        judgement.lacks(f"{where(item)} has no subnet group: it would stand in the default VPC.")
        return
    subnets = [case.network(item.region).subnet(value) for value in group.items("SubnetIds")]
    zones = {subnet.zone for subnet in subnets if subnet is not None}
    if None in subnets or isinstance(group.get("SubnetIds"), Unknown):
        judgement.unsure(f"{where(group)}: a subnet of it is not among these templates.")
    elif len(zones) < 2:
        judgement.lacks(f"{where(group)} spans {len(zones)} Availability Zone(s).")
    for subnet in subnets:
        if subnet is not None and subnet.kind is Kind.PUBLIC:
            judgement.lacks(f"{where(item)} stands in {subnet.resource.logical_id}, which is open to the internet.")
    if item.get("PubliclyAccessible") is None:
        judgement.unsure(f"{where(item)} does not say that it is not publicly accessible.")
    elif not same(item.get("PubliclyAccessible"), False):
        judgement.lacks(f"{where(item)} is publicly accessible.")


def _parameters(case: Case, judgement: Judgement, item: Resource) -> None:
    group = case.deployment.resource(item.get("DBParameterGroupName"))
    if group is None:
        judgement.lacks(
            f"{where(item)} has no parameter group: TLS is not forced, and a dead replica can fill its disk."
        )
        return
    judgement.expect(group, ("Parameters", "rds.force_ssl"), 1, "TLS is not forced")
    kept = number(group.get("Parameters", "max_slot_wal_keep_size"))
    if kept is None or kept < 0:
        judgement.lacks(f"{where(group)} lets a dead replica region fill the primary's disk (max_slot_wal_keep_size).")


def _monitoring(case: Case, judgement: Judgement, item: Resource) -> None:
    if not (number(item.get("MonitoringInterval")) or 0) > 0:
        judgement.lacks(f"{where(item)}: enhanced monitoring is off.")
        return
    role = case.deployment.resource(item.get("MonitoringRoleArn"))
    if role is None:
        judgement.lacks(f"{where(item)} has no role to publish its enhanced monitoring with.")
    elif not case.identities.trusts(role, "monitoring.rds.amazonaws.com") or not case.identities.may(
        role, "logs:PutLogEvents"
    ):
        judgement.lacks(f"{where(role)} cannot be used by RDS to publish enhanced monitoring.")
    insights = (yes(item.get("EnablePerformanceInsights")), item.get("DatabaseInsightsMode") is not None)
    if not any(insights):
        judgement.lacks(f"{where(item)}: Performance Insights is off.")


_WATCHES = (
    ("FreeStorageSpace", "its storage runs out"),
    ("DatabaseConnections", "its connections run out"),
    ("CPUUtilization", "its CPU is exhausted"),
    ("FreeableMemory", "its memory runs out"),
    ("MaximumUsedTransactionIDs", "its transaction ids run out"),
    ("OldestReplicationSlotLag", "a replication slot holds the WAL back"),
    ("TransactionLogsDiskUsage", "the WAL fills its disk"),
    ("ReplicaLag", "a replica no longer replays"),
)
_OF_A_REPLICA = ("FreeStorageSpace", "ReplicaLag")
_BURSTABLE = ("CPUSurplusCreditsCharged", "CPUSurplusCreditBalance", "CPUCreditBalance")
_REPLICATION = (
    ("HeartbeatAge", "the heartbeat stops: the region is lost, or replication is"),
    ("SlotRetainedBytes", "changes wait for the replica"),
    ("Fenced", "the database refuses writes"),
    ("KitErrors", "the instances' own watch fails"),
)


def _watched(case: Case, judgement: Judgement, item: Resource) -> None:
    """Somebody is told before the database is full."""
    _told(case, judgement, item, _WATCHES)
    burstable = str(item.get("DBInstanceClass")).startswith("db.t")
    alarms = case.telling(item.region).on("AWS/RDS", *_BURSTABLE)
    if burstable and not alarms:
        judgement.lacks(f"{where(item)}: nobody is told when its CPU credits are used up or cost money.")


def _told(case: Case, judgement: Judgement, item: Resource, watches: Sequence[tuple[str, str]]) -> None:
    identifier = {case.deployment.spelled(item.reference), case.deployment.spelled(case.deployment.name(item) or "")}
    alarms = [
        alarm
        for alarm in case.telling(item.region).alarms
        if any(identifier & set(metric.dimensions.values()) for metric in alarm.metrics)
    ]
    for name, text in watches:
        if not any(alarm.watches("AWS/RDS", name) for alarm in alarms):
            judgement.lacks(f"{where(item)}: nobody is told when {text}.")


def _replication_watched(case: Case, judgement: Judgement, region: str) -> None:
    """Figures that only the instances have: `ReplicaLag` rises on an idle database, a heartbeat does not."""
    telling = case.telling(region)
    for name, text in _REPLICATION:
        found = [alarm for alarm in telling.alone(name) if not list(case.signals.unpublished(alarm))]
        if not found:
            judgement.lacks(f"{region}: nobody is told when {text}.")
        elif name == "HeartbeatAge" and found[0].missing_data != "breaching":
            judgement.lacks(f"{where(found[0].resource)} takes missing data for a pass: a lost region sends none.")
    unprotected = [
        alarm
        for alarm in telling.alarms
        if {"Primary", "SlotRetainedBytes"} <= {metric.name for metric in alarm.metrics}
    ]
    if not unprotected:
        judgement.lacks(f"{region}: nobody is told when a primary has no replica.")


def _primary(judgement: Judgement, item: Resource) -> None:
    if same(item.get("ManageMasterUserPassword"), True):
        judgement.lacks(f"{where(item)} lets RDS manage the password, which PostgreSQL with read replicas refuses.")
    password = item.get("MasterUserPassword")
    if password is None:
        judgement.lacks(f"{where(item)} has no password from a secret for its master.")
    judgement.found(item, "the primary")


def _replica(case: Case, judgement: Judgement, item: Resource, primary: Resource | None) -> None:
    source = case.source(item)
    if source is not primary:
        judgement.lacks(f"{where(item)} copies {source}, which is not the primary of {case.regions[0]}.")
    value = case.deployment.spelled(item.get("SourceDBInstanceIdentifier"))
    if not value.startswith("arn:") and not value.endswith("Arn}"):
        judgement.lacks(f"{where(item)} names its source without the ARN, which another region needs.")
    for name in ON_DEMAND:
        if item.get(name) is not None:
            judgement.lacks(f"{where(item)} carries {name}, which RDS refuses on a replica.")
    key = case.deployment.resource(item.get("KmsKeyId"))
    if key is None:
        judgement.lacks(f"{where(item)} names no key of its own region: a copy of encrypted storage needs one.")
    elif key.region != item.region:
        judgement.lacks(f"{where(item)} is encrypted with a key of {key.region}.")
    _promotion(judgement, item)
    judgement.found(item, f"a replica of {source}", "SourceDBInstanceIdentifier")


CREATE_ONLY = frozenset(
    {
        "AutoMinorVersionUpgrade",
        "AvailabilityZone",
        "BackupRetentionPeriod",
        "CharacterSetName",
        "DBInstanceIdentifier",
        "DBName",
        "DBParameterGroupName",
        "DBSubnetGroupName",
        "Engine",
        "KmsKeyId",
        "MasterUsername",
        "MultiAZ",
        "PreferredMaintenanceWindow",
        "SourceRegion",
        "StorageEncrypted",
        "StorageType",
        "Timezone",
    }
)
"""Always or conditionally create-only (the RDS handler's schema, 2025-07): a promotion may not change them."""


def _promotion(judgement: Judgement, item: Resource) -> None:
    """Some parameter makes it a primary in place: the source goes, nothing else that is create-only changes."""
    stack = item.stack
    for name in stack.template.section("Parameters"):
        changed = _with_parameter(item, name)
        if changed is None or "SourceDBInstanceIdentifier" in changed:
            continue
        touched = {key for key in CREATE_ONLY if changed.get(key) != item.properties.get(key)}
        if touched:
            judgement.lacks(
                f"{where(item)}: promotion by {name} would also change {', '.join(sorted(touched))}: a replacement."
            )
        else:
            judgement.found(item, f"promoted in place by the parameter {name}", "SourceDBInstanceIdentifier")
        return
    judgement.lacks(f"{where(item)} cannot be promoted by its stack: no parameter removes its source.")


def _with_parameter(item: Resource, name: str) -> dict[str, object] | None:
    """The instance's properties if a role-like parameter of its stack had another of its allowed values."""
    allowed = item.stack.template.section("Parameters")[name].get("AllowedValues")
    now = item.stack.evaluator.parameter(name)
    if not isinstance(allowed, list) or now not in allowed or len(allowed) > 4:
        return None
    for value in allowed:
        if value == now:
            continue
        properties = item.stack.evaluator.with_parameter(name, value).value(item.body.get("Properties"))
        if isinstance(properties, dict) and "SourceDBInstanceIdentifier" not in properties:
            return properties
    return None


def _more_replicas(case: Case, judgement: Judgement, region: str) -> None:
    wanted = case.demand.read_replicas
    own = [
        item
        for item in case.databases(region)
        if case.is_replica(item) and (source := case.source(item)) is not None and source.region == region
    ]
    for item in own:
        _told(case, judgement, item, [pair for pair in _WATCHES if pair[0] in _OF_A_REPLICA])
    if len(own) < wanted:
        judgement.lacks(
            f"{region} has {len(own)} of the {wanted} read replicas that were asked for beside the database."
        )


def _secrets(case: Case, judgement: Judgement) -> None:
    """Passwords are generated, and readable in the standby when home is lost."""
    secrets = case.deployment.of_type("AWS::SecretsManager::Secret", region=case.regions[0])
    kept = [item for item in secrets if item.get("GenerateSecretString") is not None]
    if not kept:
        judgement.lacks("The database's passwords are not generated secrets.")
    for item in secrets:
        regions = [item.get("ReplicaRegions", index, "Region") for index, _ in enumerate(item.items("ReplicaRegions"))]
        unknown = [region for region in regions if isinstance(region, Unknown)]
        if unknown:
            judgement.unsure(f"{where(item)}: where it is copied cannot be told: {unknown[0].reason}")
        elif case.standby and case.standby not in regions:
            judgement.lacks(f"{where(item)} is not copied to {case.standby}: without home nobody can read it.")
        elif item in case.deployment.mentioned(case.primary.get("MasterUserPassword") if case.primary else None):
            copied = f", with a copy in {case.standby}" if case.standby else ""
            judgement.found(item, f"the master's password{copied}", *(["ReplicaRegions"] if copied else []))
