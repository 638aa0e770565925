"""M8: least privilege, and emergency access for a limited time without editing a role."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.review.case import Case
from bicoastal.review.model.identity import Statement, glob
from bicoastal.review.model.service import Fleet
from bicoastal.review.verdict import Judgement, where

TITLE = "Least privilege; emergency access for a limited time"
DOCUMENT = "AWS::SSM::Document"
_RAISING = ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PassRole", "sts:AssumeRole", "ec2:CreateTags")


def judge(case: Case) -> Judgement:
    """What instances may do, what nobody may do, and how people get in for a while."""
    judgement = Judgement()
    _administrators(case, judgement)
    for region in case.regions:
        fleet = case.fleet(region)
        if fleet is None:
            other = case.runs_otherwise(region)
            if other:
                judgement.unsure(f"{other}: how people get in there in an emergency is not looked into.")
            else:
                judgement.lacks(f"{region} has no fleet of instances, and no way into any in an emergency.")
            continue
        _instances(case, judgement, fleet)
        _passwords(case, judgement, region)
        _break_glass(case, judgement, region)
        _operations(case, judgement, region)
        _trail(case, judgement, region)
    return judgement


def _administrators(case: Case, judgement: Judgement) -> None:
    for role in case.deployment.of_type("AWS::IAM::Role"):
        for item in case.identities.statements(role):
            everything = "*" in item.actions and "*" in item.resources
            if item.effect == "Allow" and everything:
                judgement.lacks(f"{where(role)} may do everything.")


def _instances(case: Case, judgement: Judgement, fleet: Fleet) -> None:
    """The instances' role: enough for what the user data does, nothing that raises it."""
    if fleet.profile is None or fleet.role is None:
        if fleet.configured:
            judgement.unsure(
                f"{where(fleet.resource)}: what its instances may do: it starts by {fleet.configured}, not looked into."
            )
        else:
            judgement.lacks(f"{where(fleet.resource)}: its instances have no role: no secrets, no logs, no sessions.")
        return
    role, may = fleet.role, case.identities.may
    for action in _RAISING:
        statement = may(role, action)
        if statement is not None and not statement.conditions:
            judgement.lacks(f"{where(role)}: an instance that is broken into may {action}.")
    for action, why in (
        ("secretsmanager:GetSecretValue", "read its passwords"),
        ("s3:GetObject", "fetch the application"),
        ("logs:PutLogEvents", "write its logs"),
        ("cloudwatch:PutMetricData", "publish its metrics"),
        ("ssm:UpdateInstanceInformation", "be reached in an emergency"),
        ("cloudformation:SignalResource", "say that it serves"),
        ("kms:Decrypt", "decrypt what it reads"),
    ):
        if may(role, action) is None:
            judgement.lacks(f"{where(role)} may not {action}: an instance cannot {why}.")
    for group in _log_groups(fleet):
        if may(role, "logs:PutLogEvents", group) is None:
            judgement.lacks(
                f"{where(role)} may not write to the log group {group.split(':log-group:')[-1].rstrip(':*')}."
            )
    for item in case.identities.statements(role):
        wide = [name for name in item.actions if name.endswith(":*") or name == "*"]
        if item.effect == "Allow" and wide and "*" in item.resources and item.source is role:
            judgement.lacks(f"{where(role)} may do {wide[0]} on everything.")
    judgement.found(role, "the instances' role")


def _passwords(case: Case, judgement: Judgement, region: str) -> None:
    """The application does not own its schema: the owner's password, like the master's, is out of the fleet's reach."""
    fleet, primary = case.fleet(region), case.primary
    if fleet is None or fleet.role is None or primary is None:
        return
    readable = {
        id(item)
        for statement in case.identities.statements(fleet.role)
        if statement.effect == "Allow" and statement.matches("secretsmanager:GetSecretValue")
        for item in case.deployment.mentioned(statement.source.get(*statement.path, "Resource"))
    }
    master = {id(item) for item in case.deployment.mentioned(primary.get("MasterUserPassword"))}
    generated = [
        item
        for item in case.deployment.of_type("AWS::SecretsManager::Secret")
        if item.get("GenerateSecretString") is not None
    ]
    if master & readable:
        judgement.lacks(f"{where(fleet.role)} may read the password of the database's master.")
    if not [item for item in generated if id(item) not in readable | master]:
        judgement.lacks(f"{region}: no password for an owner of the schema other than application and master.")
    own = [item for item in generated if id(item) in readable]
    if len(own) < 2:
        judgement.lacks(f"{region}: the application and what watches the database share a password, or have none.")


def _log_groups(fleet: Fleet) -> list[str]:
    """ARNs of the groups that the fleet's agent writes to."""
    logs = fleet.machine.agent.get("logs") if fleet.machine else None
    collected = logs.get("logs_collected") if isinstance(logs, dict) else None
    names = {
        entry["log_group_name"]
        for source in (collected.values() if isinstance(collected, dict) else ())
        if isinstance(source, dict)
        for entry in source.get("collect_list") or []
        if isinstance(entry, dict) and isinstance(entry.get("log_group_name"), str)
    }
    region = fleet.resource.region
    return [f"arn:aws:logs:{region}:${{AWS::AccountId}}:log-group:{name}:log-stream:x" for name in sorted(names)]


def _break_glass(case: Case, judgement: Judgement, region: str) -> None:
    """A document that opens and closes by itself; a role with MFA that may start only it; a bounded session."""
    opening = [item for item in case.deployment.of_type(DOCUMENT, region=region) if _opens(item)]
    if not opening:
        judgement.lacks(f"{region} has no document that opens an instance for a limited time.")
        return
    document = opening[0]
    text = str(document.get("Content"))
    role = _role_of(case, document)
    if role is None:
        judgement.lacks(f"{where(document)} runs with the rights of whoever starts it, not with a role of its own.")
    else:
        for action in ("ec2:CreateTags", "ec2:DeleteTags", "ssm:TerminateSession"):
            if case.identities.may(role, action) is None:
                judgement.lacks(f"{where(role)} may not {action}: {document.logical_id} fails half-way.")
    if "TerminateSession" not in text and "terminate_session" not in text:
        judgement.lacks(f"{where(document)} takes the tag away and leaves sessions open.")
    _closes_anyway(case, judgement, document, text)
    _responders(case, judgement, document)
    _session(case, judgement, region)
    _told(case, judgement, document)
    judgement.found(document, "opens an instance, and closes it by itself")


def _opens(document: Resource) -> bool:
    text = str(document.get("Content"))
    return document.get("DocumentType") == "Automation" and "aws:sleep" in text and _tags(text)


def _tags(text: str) -> bool:
    return "CreateTags" in text or "aws:createTags" in text or "create_tags" in text


def _role_of(case: Case, document: Resource) -> Resource | None:
    value = document.get("Content", "assumeRole")
    target = case.deployment.resource(value) if value is not None else None
    return target if target is not None and target.type == "AWS::IAM::Role" else None


def _closes_anyway(case: Case, judgement: Judgement, document: Resource, text: str) -> None:
    """A schedule of its own closes what a stopped document would leave open."""
    if "scheduler" not in text.lower():
        judgement.lacks(f"{where(document)}: nothing closes the instance if the document is stopped.")
        return
    region = document.region
    groups = case.deployment.of_type("AWS::Scheduler::ScheduleGroup", region=region)
    timers = [
        role
        for role in case.deployment.of_type("AWS::IAM::Role", region=region)
        if case.identities.trusts(role, "scheduler.amazonaws.com")
    ]
    if not groups:
        judgement.lacks(f"{region} has no group for the schedules that close instances.")
    if not timers:
        judgement.lacks(f"{region} has no role that schedules close an instance with.")
    for timer in timers:
        named = case.deployment.mentioned(document.get("Content"))
        if not any(item is timer for item in named):
            judgement.unsure(f"{where(timer)}: {document.logical_id} does not use it.")
        elif not any(
            case.identities.may(timer, action) for action in ("ssm:StartAutomationExecution", "ec2:DeleteTags")
        ):
            judgement.lacks(f"{where(timer)} may neither untag an instance nor start the document that does.")
    closing = [
        item
        for item in case.deployment.of_type(DOCUMENT, region=region)
        if item is not document and "DeleteTags" in str(item.get("Content")) and not _opens(item)
    ]
    if not closing:
        judgement.lacks(f"{region} has no document that closes an instance early.")
    for item in closing:
        if _role_of(case, item) is None:
            judgement.lacks(f"{where(item)} runs without a role of its own.")


def _responders(case: Case, judgement: Judgement, document: Resource) -> None:
    name = case.deployment.spelled(case.deployment.name(document) or document.reference)
    found = []
    for role in case.deployment.of_type("AWS::IAM::Role", region=document.region):
        starts = [
            item
            for item in case.identities.statements(role)
            if item.effect == "Allow"
            and item.matches("ssm:StartAutomationExecution")
            and any(name in pattern or glob(pattern, name) for pattern in item.resources)
        ]
        people = [item for item in case.identities.trusted(role) if not _service(item)]
        if starts and people:
            found.append(role)
            if not all("aws:MultiFactorAuthPresent" in str(item.conditions) for item in people):
                judgement.lacks(f"{where(role)} can be taken without a second factor.")
            if case.identities.may(role, "ec2:CreateTags"):
                judgement.lacks(f"{where(role)} may tag an instance itself: no document, no end.")
            if case.identities.may(role, "ssm:StopAutomationExecution"):
                judgement.lacks(f"{where(role)} may stop the document that closes the instance.")
            sessions = [
                item
                for item in case.identities.statements(role)
                if item.effect == "Allow" and item.matches("ssm:StartSession")
            ]
            tagged = [item for item in sessions if "resourcetag" in str(item.conditions).lower()]
            if not tagged:
                judgement.lacks(f"{where(role)} may open sessions to instances that nobody opened.")
            judgement.found(role, "responders, with a second factor")
    if not found:
        judgement.lacks(f"{document.region} has no role for people who may start {document.logical_id}.")


def _service(item: Statement) -> bool:
    return all(principal.endswith(".amazonaws.com") for principal in item.principals)


def _session(case: Case, judgement: Judgement, region: str) -> None:
    for item in case.deployment.of_type(DOCUMENT, region=region):
        if item.get("DocumentType") == "Session":
            limit = item.get("Content", "inputs", "maxSessionDuration")
            if limit is None:
                judgement.lacks(f"{where(item)} bounds no session.")
            judgement.found(item, f"sessions of at most {limit} minutes, logged")
            return
    judgement.lacks(f"{region} has no session document: sessions are neither bounded nor logged.")


_RARE = (
    ("StartSession", "emergency access is used"),
    ("Root", "the root user does something"),
    ("StopLogging", "somebody changes the trail"),
)


def _told(case: Case, judgement: Judgement, document: Resource) -> None:
    """Each use is told at once by an event, and counted in the trail, which stays when a rule is gone."""
    region = document.region
    telling = case.telling(region)
    filters = case.deployment.of_type("AWS::Logs::MetricFilter", region=region)
    for needle, text in _RARE:
        if not telling.of_event(needle):
            judgement.lacks(f"{region}: nobody is told at once when {text}.")
        counts = [
            str(entry.get("MetricName"))
            for item in filters
            if needle in str(item.get("FilterPattern"))
            for entry in item.items("MetricTransformations")
            if isinstance(entry, dict)
        ]
        if not any(telling.on("", name) for name in counts):
            judgement.lacks(f"{region}: it is not counted in the trail when {text}.")
    name = case.deployment.spelled(case.deployment.name(document) or document.reference)
    if not telling.of_event(name, "Failed"):
        judgement.lacks(f"{region}: nobody is told when {document.logical_id} does not end well.")


def _operations(case: Case, judgement: Judgement, region: str) -> None:
    """Every automation runs with a role that Systems Manager may take."""
    for document in case.deployment.of_type(DOCUMENT, region=region):
        if document.get("DocumentType") != "Automation":
            continue
        role = _role_of(case, document)
        if role is None:
            judgement.lacks(f"{where(document)} runs without a role of its own.")
        elif not case.identities.trusts(role, "ssm.amazonaws.com"):
            judgement.lacks(f"{where(role)} cannot be taken by Systems Manager for {document.logical_id}.")


def _trail(case: Case, judgement: Judgement, region: str) -> None:
    """Who did what is on record, unchangeable, in a bucket that takes it."""
    trails = case.deployment.of_type("AWS::CloudTrail::Trail", region=region)
    if not trails:
        judgement.lacks(f"{region} has no trail: who used what is not on record.")
    for trail in trails:
        judgement.expect(trail, ("EnableLogFileValidation",), True, "its files can be changed unnoticed")
        judgement.expect(trail, ("IsLogging",), True, "it does not log")
        bucket = case.deployment.resource(trail.get("S3BucketName"))
        if bucket is None:
            judgement.lacks(f"{where(trail)} has no bucket of this deployment to write to.")
            continue
        policies = [
            one
            for policy in case.deployment.of_type("AWS::S3::BucketPolicy", region=region)
            if case.deployment.resource(policy.get("Bucket")) is bucket
            for one in case.identities.document(policy, ("PolicyDocument",))
        ]
        if not any(one.effect == "Allow" and "cloudtrail.amazonaws.com" in one.principals for one in policies):
            judgement.lacks(f"{where(bucket)} does not let CloudTrail write: the trail cannot be created.")
        if trail.get("CloudWatchLogsLogGroupArn") is not None and trail.get("CloudWatchLogsRoleArn") is None:
            judgement.lacks(f"{where(trail)} has no role to write its log group with.")
        judgement.found(trail, "a trail with validated files")
