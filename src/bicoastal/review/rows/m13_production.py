"""M13: encrypted, protected from deletion, and deployable: nothing here fails when it is created."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, Value
from bicoastal.core.findings import Severity
from bicoastal.review.case import DATABASE, Case
from bicoastal.review.model.essentials import ESSENTIAL
from bicoastal.review.verdict import Judgement, where, yes

TITLE = "Production-ready: encrypted, protected, deployable"


def judge(case: Case) -> Judgement:
    """What must hold of every resource of a kind, and of the templates as templates."""
    judgement = Judgement()
    for item in case.deployment.resources:
        _deployable(judgement, item)
    for finding in case.deployment.findings:
        if finding.severity is not Severity.INFO:  # what was passed over is said elsewhere
            judgement.lacks(f"{finding.location}: {finding.title}.")
    _buckets(case, judgement)
    _encrypted(case, judgement)
    _keys(case, judgement)
    _databases(case, judgement)
    _instances(case, judgement)
    _balancers(case, judgement)
    _authorities(case, judgement)
    return judgement


def _deployable(judgement: Judgement, item: Resource) -> None:
    """References lead somewhere, and what the type cannot do without is there."""
    for path, unknown in item.unknowns:
        nobodys = not unknown.options and unknown.reason.startswith("nothing here is called")
        if nobodys and not item.stack.is_added_to:
            judgement.lacks(f"{where(item)}: {'.'.join(map(str, path))}: {unknown.reason}.")
    for name in ESSENTIAL.get(item.type, ()):
        if name == "DeliverLogsPermissionArn" and item.get("LogDestinationType") == "s3":
            continue  # a bucket's policy lets flow logs in: there is no role
        if not any(item.get(option) not in (None, [], {}, "") for option in name.split("|")):
            judgement.lacks(f"{where(item)} has no {name.replace('|', ' or ')}: it cannot be created.")


def _buckets(case: Case, judgement: Judgement) -> None:
    for item in case.deployment.of_type("AWS::S3::Bucket"):
        blocked = item.get("PublicAccessBlockConfiguration")
        blocked = blocked if isinstance(blocked, dict) else {}
        if not all(
            yes(blocked.get(name))
            for name in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
        ):
            judgement.lacks(f"{where(item)} does not block public access.")
        if not item.items("BucketEncryption", "ServerSideEncryptionConfiguration"):
            judgement.lacks(f"{where(item)} names no encryption.")
        statements = [
            one
            for policy in case.deployment.of_type("AWS::S3::BucketPolicy", region=item.region)
            if case.deployment.resource(policy.get("Bucket")) is item
            for one in case.identities.document(policy, ("PolicyDocument",))
        ]
        if not any(one.effect == "Deny" and "aws:SecureTransport" in str(one.conditions) for one in statements):
            judgement.lacks(f"{where(item)} can be used without TLS.")
        judgement.sound(item, "a closed, encrypted bucket that wants TLS")
    for region in case.regions:
        _access_logs(case, judgement, region)


def _access_logs(case: Case, judgement: Judgement, region: str) -> None:
    for balancer in case.balancers(region):
        if not yes(balancer.attribute("access_logs.s3.enabled")):
            judgement.lacks(f"{where(balancer.resource)} writes no access logs.")
            continue
        bucket = case.deployment.resource(balancer.attribute("access_logs.s3.bucket"))
        if bucket is None:
            judgement.lacks(f"{where(balancer.resource)} writes access logs to a bucket that is not declared.")
            continue
        allowed = [
            one
            for policy in case.deployment.of_type("AWS::S3::BucketPolicy", region=region)
            if case.deployment.resource(policy.get("Bucket")) is bucket
            for one in case.identities.document(policy, ("PolicyDocument",))
            if one.effect == "Allow" and one.matches("s3:PutObject")
        ]
        if not allowed:
            judgement.lacks(
                f"{where(bucket)} does not let the balancer write: {balancer.resource.logical_id} cannot be created."
            )
        algorithm = bucket.get(
            "BucketEncryption",
            "ServerSideEncryptionConfiguration",
            0,
            "ServerSideEncryptionByDefault",
            "SSEAlgorithm",
        )
        if algorithm not in (None, "AES256"):
            judgement.lacks(f"{where(bucket)} takes {algorithm}; the balancer's access logs take SSE-S3 only.")


_WITH_KEY = {
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SecretsManager::Secret": "KmsKeyId",
    "AWS::Backup::BackupVault": "EncryptionKeyArn",
    "AWS::CloudTrail::Trail": "KMSKeyId",
    "AWS::RDS::DBInstance": "KmsKeyId",
}


def _encrypted(case: Case, judgement: Judgement) -> None:
    """What holds data is encrypted with a key that this deployment governs."""
    for type_, name in _WITH_KEY.items():
        for item in case.deployment.of_type(type_):
            value = item.get(name)
            if isinstance(value, Unknown):
                judgement.unsure(f"{where(item)}: its key cannot be told: {value.reason}")
            elif value is None and not (type_ == DATABASE and case.is_reader(item)):
                judgement.lacks(f"{where(item)} is not encrypted with a key of its own.")


def _keys(case: Case, judgement: Judgement) -> None:
    """Keys rotate, and let in the services that must use them."""
    for key in case.deployment.of_type("AWS::KMS::Key"):
        judgement.expect(key, ("EnableKeyRotation",), True, "it does not rotate", "a key that rotates")
        if not _users(case, key):
            judgement.unsure(f"{where(key)}: nothing here uses it.")
    for region in case.regions:
        encrypted = [
            (item, governor)
            for item in case.deployment.of_type("AWS::Logs::LogGroup", region=region)
            if (governor := case.deployment.resource(item.get("KmsKeyId"))) is not None
        ]
        for group, governed in encrypted:
            statements = case.identities.document(governed, ("KeyPolicy",))
            if not any(
                one.effect == "Allow" and any("logs." in principal for principal in one.principals)
                for one in statements
            ):
                judgement.lacks(f"{where(governed)} does not let CloudWatch Logs in: {group.logical_id} fails.")


def _users(case: Case, key: Resource) -> list[Resource]:
    return [item for item in case.deployment.referring(key) if item.type != "AWS::KMS::Alias"]


def _databases(case: Case, judgement: Judgement) -> None:
    if not case.databases():
        judgement.lacks("There is no PostgreSQL database to protect.")
    for item in case.databases():
        if case.is_reader(item):
            continue
        judgement.expect(item, ("DeletionProtection",), True, "it can be deleted by mistake")
        policy = item.attribute("DeletionPolicy")
        if policy not in ("Snapshot", "Retain", "RetainExceptOnCreate"):
            judgement.lacks(f"{where(item)} is deleted with its stack, without a snapshot.")
        if item.attribute("UpdateReplacePolicy") not in ("Snapshot", "Retain"):
            judgement.lacks(f"{where(item)} is lost when an update replaces it.")
        for path, text in _secrets_in_clear(case, item):
            judgement.lacks(f"{where(item)}: {path} is written in clear ({text}).")
        events = [
            one
            for one in case.deployment.of_type("AWS::RDS::EventSubscription", region=item.region)
            if case.deployment.resource(one.get("SnsTopicArn")) is not None
        ]
        if not events:
            judgement.lacks(f"{where(item)}: nobody is told of its failovers and faults.")
        judgement.sound(item, "encrypted, protected, kept")


def _secrets_in_clear(case: Case, item: Resource) -> Iterator[tuple[str, str]]:
    value = item.get("MasterUserPassword")
    if isinstance(value, str) and "{{resolve:" not in value:
        yield "MasterUserPassword", "a literal"
    del case


def _instances(case: Case, judgement: Judgement) -> None:
    for region in case.regions:
        for fleet in case.fleets(region):
            template = fleet.template
            if template is None:
                judgement.lacks(f"{where(fleet.resource)}: how its instances are protected cannot be seen.")
                continue
            judgement.expect(
                template,
                ("LaunchTemplateData", "MetadataOptions", "HttpTokens"),
                "required",
                "instances answer metadata requests without a token (IMDSv1)",
            )
            disks = template.items("LaunchTemplateData", "BlockDeviceMappings")
            encrypted = [disk.get("Ebs") for disk in disks if isinstance(disk, dict)]
            if not encrypted or not all(isinstance(disk, dict) and yes(disk.get("Encrypted")) for disk in encrypted):
                judgement.lacks(f"{where(template)}: the instances' disks are not encrypted.")
            if template.get("LaunchTemplateData", "KeyName") is not None:
                judgement.lacks(f"{where(template)} puts an SSH key on instances.")
            judgement.sound(template, "instances with encrypted disks and IMDSv2")


def _balancers(case: Case, judgement: Judgement) -> None:
    for region in case.regions:
        for balancer in case.balancers(region):
            for key, text in (
                ("deletion_protection.enabled", "can be deleted by mistake"),
                ("routing.http.drop_invalid_header_fields.enabled", "passes invalid headers on"),
            ):
                if not yes(balancer.attribute(key)):
                    judgement.lacks(f"{where(balancer.resource)} {text}.")
            for listener in balancer.listeners:
                if listener.get("Protocol") == "HTTPS" and not _modern(listener.get("SslPolicy")):
                    judgement.lacks(
                        f"{where(listener)} takes old TLS: {listener.get('SslPolicy') or 'the default policy'}."
                    )


def _authorities(case: Case, judgement: Judgement) -> None:
    """In a zone of ours, only the authority that we use may issue certificates for the name."""
    if not case.deployment.of_type("AWS::Route53::HostedZone"):
        return
    named = [record for record in case.names.named(case.public_name, "CAA") if record.values]
    if not named:
        judgement.lacks(f"Any authority may issue certificates for {case.public_name}: there is no CAA record.")
    for record in named:
        if not any("amazon" in value for value in record.values):
            judgement.lacks(f"{where(record.resource)} forbids AWS to issue the certificates that are used here.")


def _modern(policy: Value) -> bool:
    return isinstance(policy, str) and "TLS13" in policy and "1-0" not in policy and "1-1-" not in policy
