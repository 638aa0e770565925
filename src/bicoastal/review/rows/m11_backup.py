"""M11: a backup each weekday in the region's window, kept, copied where declared, and restored to prove it."""

from __future__ import annotations

import re

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Value
from bicoastal.review.case import Case
from bicoastal.review.demand import RegionDemand
from bicoastal.review.verdict import Judgement, number, same, where, yes

TITLE = "Weekday backups in each region's window, and restore"
PLAN = "AWS::Backup::BackupPlan"
SELECTION = "AWS::Backup::BackupSelection"
VAULT = "AWS::Backup::BackupVault"
_RULES = ("BackupPlan", "BackupPlanRule")


def judge(case: Case) -> Judgement:
    """Plans that run at the right time, on the primary, into a locked vault, with a way back."""
    judgement = Judgement()
    for region in case.demand.regions:
        plans = case.deployment.of_type(PLAN, region=region.name)
        if not plans:
            judgement.lacks(f"{region.name} has no backup plan: nothing is backed up, and no restore is tested.")
            continue
        for plan in plans:
            _plan(case, judgement, plan, region)
        _restore(case, judgement, region.name)
        _restorers(case, judgement, region.name)
        _failures(case, judgement, region.name)
    _selected(case, judgement)
    return judgement


def _plan(case: Case, judgement: Judgement, plan: Resource, region: RegionDemand) -> None:
    for index, _ in enumerate(plan.items(*_RULES)):
        path = (*_RULES, index)
        schedule = str(plan.get(*path, "ScheduleExpression"))
        _schedule(judgement, plan, schedule, region)
        if region.backup_time_zone:
            zone = plan.get(*path, "ScheduleExpressionTimezone", default="Etc/UTC")
            if zone not in (region.backup_time_zone, f"Etc/{region.backup_time_zone}"):
                judgement.lacks(f"{where(plan)} runs by the clock of {zone}, not of {region.backup_time_zone}.")
        if yes(plan.get(*path, "EnableContinuousBackup")):
            judgement.lacks(f"{where(plan)} backs up continuously, also on weekends.")
        kept = number(plan.get(*path, "Lifecycle", "DeleteAfterDays"))
        if region.backup_keep_days and kept != region.backup_keep_days:
            judgement.lacks(
                f"{where(plan)} keeps backups {kept or 'an unknown number of'} days, not {region.backup_keep_days}."
            )
        vault = _vault(case.deployment, plan.get(*path, "TargetBackupVault"), region.name)
        if vault is None:
            judgement.lacks(f"{where(plan)} backs up into no vault of this deployment.")
        else:
            _locked(case, judgement, vault)
        _copied(case, judgement, plan, path, region)


def _schedule(judgement: Judgement, plan: Resource, schedule: str, region: RegionDemand) -> None:
    fields = re.fullmatch(r"cron\((\S+) (\S+) (\S+) (\S+) (\S+) (\S+)\)", schedule)
    if fields is None:
        judgement.lacks(f"{where(plan)} has no schedule in the form of cron: {schedule}.")
        return
    minute, hour, _, _, days, _ = fields.groups()
    if days not in ("MON-FRI", "2-6"):
        said = "every day" if days in ("*", "?") else f"on {days}"
        judgement.lacks(f"{where(plan)} runs {said}, not on weekdays only.")
        return
    wanted = region.backup_start
    if wanted and (int(hour) if hour.isdigit() else hour, int(minute) if minute.isdigit() else minute) != tuple(
        int(part) for part in wanted.split(":")
    ):
        judgement.lacks(f"{where(plan)} starts at {hour}:{minute}, not at {wanted}.")
        return
    judgement.found(plan, f"weekdays at {hour}:{minute.zfill(2)}", *_RULES)


def _vault(deployment: Deployment, value: Value, region: str) -> Resource | None:
    if value is None:
        return None
    found = deployment.resource(value) or deployment.named(value, VAULT, region)
    return found if found is not None and found.type == VAULT else None


def _locked(case: Case, judgement: Judgement, vault: Resource) -> None:
    if vault.get("LockConfiguration", "MinRetentionDays") is None:
        judgement.lacks(f"{where(vault)} is not locked: whoever gets in can delete the backups.")
    key = case.deployment.resource(vault.get("EncryptionKeyArn")) if vault.get("EncryptionKeyArn") is not None else None
    if key is None:
        judgement.lacks(f"{where(vault)} has no key of its own: who may read the backups cannot be governed.")
    elif key.region != vault.region:
        judgement.lacks(f"{where(vault)} is encrypted with a key of {key.region}.")
    judgement.sound(vault, "a locked vault with a key of its region")


def _copied(
    case: Case, judgement: Judgement, plan: Resource, path: tuple[str | int, ...], region: RegionDemand
) -> None:
    """Each declared region gets a copy, in a vault that exists there."""
    wanted = {name for name in (case.regions[0], *case.demand.copies) if name != region.name}
    reached = set()
    for index, _ in enumerate(plan.items(*path, "CopyActions")):
        value = plan.get(*path, "CopyActions", index, "DestinationBackupVaultArn")
        vault = case.deployment.resource(value) if value is not None else None
        if vault is None or vault.type != VAULT:
            judgement.lacks(
                f"{where(plan)} copies to a vault that no template declares: {case.deployment.spelled(value or '')}."
            )
            continue
        reached.add(vault.region)
    for name in sorted(wanted & set(case.regions) - reached):
        judgement.lacks(f"{where(plan)} copies nothing to {name}: the backups would be lost with {region.name}.")


def _selected(case: Case, judgement: Judgement) -> None:
    """The primary, and it alone, is selected: a backup of the replica would be a second bill for the same rows."""
    primary = case.primary
    if primary is None:
        judgement.lacks("There is no primary PostgreSQL database to back up.")
        return
    chosen = [item for item in case.deployment.of_type(SELECTION) if item.region == primary.region]
    if not any(_selects(case, item, primary) for item in chosen):
        judgement.lacks(f"No backup selection of {primary.region} selects {primary.logical_id}: nothing is backed up.")
    for item in case.deployment.of_type(SELECTION):
        plan = case.deployment.resource(item.get("BackupPlanId"))
        if plan is None:
            judgement.lacks(f"{where(item)} belongs to no plan of this deployment.")
        for database in case.databases(item.region):
            if database is not primary and _selects(case, item, database):
                judgement.lacks(f"{where(item)} selects the replica {database.logical_id} too.")
        _role(case, judgement, item)
        if _selects(case, item, primary):
            judgement.found(item, f"selects the primary {primary.logical_id}", "BackupSelection")


def _selects(case: Case, item: Resource, database: Resource) -> bool:
    """Whether a selection takes an instance: by its ARN, or by tags that it bears."""
    if item.region != database.region:
        return False
    own = {
        case.deployment.spelled(type(database.reference)(database.stack.id, database.logical_id, attribute))
        for attribute in ("DBInstanceArn", "Arn")
    }
    named = item.items("BackupSelection", "Resources")
    for value in named:
        spelled = case.deployment.spelled(value)
        if spelled in own or case.deployment.resource(value) is database:
            return not _excluded(case, item, own)
        if spelled != "*" and spelled.endswith("*") and any(arn.startswith(spelled[:-1]) for arn in own):
            return not _excluded(case, item, own)
    tags = {
        str(entry.get("Key")): case.deployment.spelled(entry.get("Value", ""))
        for entry in database.items("Tags")
        if isinstance(entry, dict)
    }
    for entry in item.items("BackupSelection", "ListOfTags"):
        if isinstance(entry, dict) and tags.get(str(entry.get("ConditionKey"))) == entry.get("ConditionValue"):
            return True
    return False


def _excluded(case: Case, item: Resource, own: set[str]) -> bool:
    return any(case.deployment.spelled(value) in own for value in item.items("BackupSelection", "NotResources"))


def _role(case: Case, judgement: Judgement, item: Resource) -> None:
    role = case.deployment.resource(item.get("BackupSelection", "IamRoleArn"))
    if role is None:
        judgement.lacks(f"{where(item)} has no role to back up with.")
    elif not case.identities.trusts(role, "backup.amazonaws.com"):
        judgement.lacks(f"{where(role)} cannot be taken by AWS Backup.")
    elif not case.identities.may(role, "rds:CreateDBSnapshot"):
        judgement.lacks(f"{where(role)} may not make snapshots of the database.")


def _restore(case: Case, judgement: Judgement, region: str) -> None:
    """Backups are restored by AWS on a schedule: one that was never restored is a hope."""
    plans = case.deployment.of_type("AWS::Backup::RestoreTestingPlan", region=region)
    if not plans:
        judgement.lacks(f"{region}: restores are never tested.")
    for plan in plans:
        selections = [
            item
            for item in case.deployment.of_type("AWS::Backup::RestoreTestingSelection", region=region)
            if _belongs(case, item, plan)
        ]
        if not selections:
            judgement.lacks(f"{where(plan)} tests nothing: no selection belongs to it.")
        for item in selections:
            role = case.deployment.resource(item.get("IamRoleArn"))
            if role is None or not case.identities.may(role, "rds:RestoreDBInstanceFromDBSnapshot"):
                judgement.lacks(f"{where(item)} has no role that may restore.")
            if not same(item.get("ProtectedResourceType"), "RDS"):
                judgement.lacks(f"{where(item)} tests no databases.")
            _landing(case, judgement, item)
            judgement.found(item, "restores are tested")


def _restorers(case: Case, judgement: Judgement, region: str) -> None:
    """Whoever restores needs not be an administrator, in the hour in which that would cost the most."""
    for policy in case.deployment.of_type("AWS::IAM::ManagedPolicy", region=region):
        allowed = [one for one in case.identities.document(policy, ("PolicyDocument",)) if one.effect == "Allow"]
        if any(one.matches("backup:StartRestoreJob") and "*" not in one.resources for one in allowed):
            judgement.found(policy, "people may restore backups, and no more")
            return
    judgement.lacks(f"{region} has no policy that lets people restore backups without being administrators.")


def _landing(case: Case, judgement: Judgement, item: Resource) -> None:
    """A test is restored where nobody reaches it, not into the default VPC."""
    overrides = item.get("RestoreMetadataOverrides")
    overrides = {str(key).lower(): value for key, value in overrides.items()} if isinstance(overrides, dict) else {}
    subnets = case.deployment.resource(overrides.get("dbsubnetgroupname"))
    if subnets is None:
        judgement.lacks(f"{where(item)} restores into the default VPC: it names no subnet group.")
    groups = case.deployment.mentioned(overrides.get("vpcsecuritygroupids"))
    if not groups:
        judgement.lacks(f"{where(item)} restores into the default security group.")
    for group in groups:
        if case.network(item.region).rules(group, ingress=True):
            judgement.lacks(f"{where(group)} lets somebody reach restored data.")


def _belongs(case: Case, item: Resource, plan: Resource) -> bool:
    name = item.get("RestoreTestingPlanName")
    own = plan.get("RestoreTestingPlanName")
    return case.deployment.resource(name) is plan or (name is not None and case.deployment.spelled(name) == own)


_JOBS = (
    ("Backup Job State Change", "a backup fails"),
    ("Copy Job State Change", "a copy to the other region fails"),
    ("Restore Job State Change", "a restore fails"),
)


def _failures(case: Case, judgement: Judgement, region: str) -> None:
    """A job that fails is told, and so is one that never ran."""
    telling = case.telling(region)
    by_vault = {
        str(event)
        for vault in case.deployment.of_type(VAULT, region=region)
        for event in vault.items("Notifications", "BackupVaultEvents")
    }
    for detail, text in _JOBS:
        kind = detail.partition(" ")[0].upper()
        if not telling.of_event("aws.backup", detail, "FAILED") and not any(
            event.startswith(kind) and ("FAILED" in event or "COMPLETED" in event) for event in by_vault
        ):
            judgement.lacks(f"{region}: nobody is told when {text}.")
    primary = case.primary
    if primary is not None and primary.region == region:
        silent = [
            alarm
            for alarm in telling.on("AWS/Backup", "NumberOfBackupJobsCompleted")
            if alarm.missing_data == "breaching" and not alarm.upward
        ]
        if not silent:
            judgement.lacks(f"{region}: nobody is told when no backup was made at all.")
