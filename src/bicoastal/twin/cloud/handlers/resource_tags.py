"""The Resource Groups Tagging API: the tagged resources of the region that is asked, and how their tags change.

A service keeps the tags of its resources where its own calls read them; here is said where that is, so that both ways
to ask and to change come to the same. By AWS's list of what supports the API
(https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/supported-services.html) GetResources answers
neither with Auto Scaling groups nor with IAM's roles: they have calls of their own. CloudWatch's dashboards, whose ARN
has no region, are left out here, too. Who may not tag a resource by its service's own right may not do so here: what is
refused is named in the answer, and the rest is changed (API_TagResources, "Minimum permissions").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bicoastal.twin.cloud import emulator, registry, rights
from bicoastal.twin.cloud.handlers.backup import PLAN_TAGS, PLANS
from bicoastal.twin.cloud.handlers.rds_events import SUBSCRIPTIONS
from bicoastal.twin.cloud.handlers.ssm import DOCUMENTS
from bicoastal.twin.cloud.registry import ServiceError, Table
from bicoastal.twin.cloud.rights import Check, tag_keys

Json = Any
Tags = dict[str, str]
_LARGEST_PAGE = 100
_GLOBAL_SERVICES_REGION = "us-east-1"


@dataclass(frozen=True)
class _Form:
    """How a service writes tags: the names of key and value in a list's items, or a map where there are none."""

    key: str = ""
    value: str = ""

    def read(self, kept: Json) -> Tags:
        if not self.key:
            return dict(kept or {})
        return {item[self.key]: str(item.get(self.value, "")) for item in kept or ()}

    def written(self, tags: Mapping[str, str]) -> Json:
        if not self.key:
            return dict(tags)
        return [{self.key: key, self.value: value} for key, value in tags.items()]


_PAIRS, _MAP, _KMS = _Form("Key", "Value"), _Form(), _Form("TagKey", "TagValue")


@dataclass(frozen=True)
class _Bearer:
    """A resource, and the place where its service keeps its tags."""

    arn: str
    place: Table
    at: Any
    form: _Form = _PAIRS

    @property
    def tags(self) -> Tags:
        return self.form.read(self.place.get(self.at))


_EC2 = {
    "elastic-ip": "_addresses",
    "instance": "_instances",
    "internet-gateway": "_internet_gateways",
    "launch-template": "_launch_templates",
    "natgateway": "_nat_gateways",
    "network-acl": "_network_acls",
    "network-interface": "_network_interfaces",
    "route-table": "_route_tables",
    "security-group": "_security_groups",
    "subnet": "_subnets",
    "volume": "_volumes",
    "vpc": "_vpcs",
    "vpc-endpoint": "_vpc_endpoints",
    "vpc-flow-log": "_flow_logs",
    "vpc-peering-connection": "_vpc_peering",
}
"""EC2's name of a kind in an ARN, to ministack's table; all of them are keyed by id, and so are the tags."""
_BY_ARN: Mapping[str, tuple[str, str, _Form, Mapping[str, str]]] = {
    "cloudtrail": ("cloudtrail", "_trail_tags", _MAP, {"_trails": "TrailARN"}),
    "cloudwatch": ("cloudwatch", "_resource_tags", _MAP, {"_alarms": "AlarmArn", "_composite_alarms": "AlarmArn"}),
    "elasticloadbalancing": (
        "alb",
        "_tags",
        _PAIRS,
        {"_lbs": "LoadBalancerArn", "_tgs": "TargetGroupArn", "_listeners": "ListenerArn", "_rules": "RuleArn"},
    ),
    "events": ("eventbridge", "_tags", _MAP, {"_rules": "Arn", "_event_buses": "Arn"}),
    "rds": (
        "rds",
        "_tags",
        _PAIRS,
        {
            "_instances": "DBInstanceArn",
            "_param_groups": "DBParameterGroupArn",
            "_snapshots": "DBSnapshotArn",
            "_subnet_groups": "DBSubnetGroupArn",
        },
    ),
    "scheduler": ("scheduler", "_tags", _MAP, {"_schedule_groups": "Arn"}),
    "wafv2": ("waf", "_waf_tags", _PAIRS, {"_web_acls": "ARN", "_ip_sets": "ARN"}),
}
"""Services that keep tags by ARN: module, table and form of the tags, and for each table of theirs the ARN's field."""
_IN_RECORD: Mapping[str, tuple[str, str, _Form, Mapping[str, str]]] = {
    "acm": ("acm", "Tags", _PAIRS, {"_certificates": "CertificateArn"}),
    "kms": ("kms", "Tags", _KMS, {"_keys": "Arn"}),
    "logs": ("cloudwatch_logs", "tags", _MAP, {"_log_groups": "arn"}),
    "secretsmanager": ("secretsmanager", "Tags", _PAIRS, {"_secrets": "ARN"}),
    "sns": ("sns", "tags", _MAP, {"_topics": "arn"}),
}
"""Services that keep them in the resource's record: module, field and form, and for each table the ARN's field."""


def _by_arn(service: str) -> Iterator[_Bearer]:
    module, place, form, tables = _BY_ARN[service]
    for table, field in tables.items():
        for record in emulator.store(module, table).values():
            yield _Bearer(record[field], emulator.store(module, place), record[field], form)


def _in_record(service: str) -> Iterator[_Bearer]:
    module, field, form, tables = _IN_RECORD[service]
    for table, arn in tables.items():
        for record in emulator.store(module, table).values():
            # A log group's ARN ends with :* where it stands for its streams.
            yield _Bearer(record[arn].removesuffix(":*"), record, field, form)


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{emulator.region()}:{emulator.account()}:{resource}"


def _ec2() -> Iterator[_Bearer]:
    for kind, table in _EC2.items():
        for id_ in emulator.store("ec2", table):
            yield _Bearer(_arn("ec2", f"{kind}/{id_}"), emulator.store("ec2", "_tags"), id_)


def _rds() -> Iterator[_Bearer]:
    yield from _by_arn("rds")
    for record in SUBSCRIPTIONS.values():
        arn = record["EventSubscriptionArn"]
        yield _Bearer(arn, emulator.store("rds", "_tags"), arn)


def _backup() -> Iterator[_Bearer]:
    for name, record in emulator.store("backup", "_vaults").items():
        yield _Bearer(_arn("backup", f"backup-vault:{name}"), record, "BackupVaultTags", _MAP)
    for id_, record in emulator.store("backup", "_plans").items():
        yield _Bearer(_arn("backup", f"backup-plan:{id_}"), record, "Tags", _MAP)
    for name, record in PLANS.items():
        yield _Bearer(record["RestoreTestingPlanArn"], PLAN_TAGS, name, _MAP)


def _ssm() -> Iterator[_Bearer]:
    place = emulator.store("ssm", "_tags")
    for name in DOCUMENTS:
        yield _Bearer(_arn("ssm", f"document/{name}"), place, name, _MAP)
    for record in emulator.store("ssm", "_parameters").values():
        yield _Bearer(record["ARN"], place, record["ARN"], _MAP)


def _s3() -> Iterator[_Bearer]:
    """Their ARNs have no region; a region answers with its own."""
    region_of = emulator.of_service("s3", "bucket_region")
    for name in emulator.store("s3", "_buckets"):
        if region_of(name) == emulator.region():
            yield _Bearer(f"arn:aws:s3:::{name}", emulator.store("s3", "_bucket_tags"), name, _MAP)


def _route53() -> Iterator[_Bearer]:
    if emulator.region() != _GLOBAL_SERVICES_REGION:
        return
    place = emulator.store("route53", "_tags")
    for kind, table in (("healthcheck", "_health_checks"), ("hostedzone", "_zones")):
        for id_ in emulator.store("route53", table):
            yield _Bearer(f"arn:aws:route53:::{kind}/{id_}", place, (kind, id_), _MAP)


@dataclass(frozen=True)
class _Service:
    """What of a service's resources is known here."""

    bearers: Callable[[], Iterator[_Bearer]]
    tag: str
    """The right to set tags, without the service's name."""
    untag: str


_SERVICES: Mapping[str, _Service] = {
    "acm": _Service(lambda: _in_record("acm"), "AddTagsToCertificate", "RemoveTagsFromCertificate"),
    "backup": _Service(_backup, "TagResource", "UntagResource"),
    "cloudtrail": _Service(lambda: _by_arn("cloudtrail"), "AddTags", "RemoveTags"),
    "cloudwatch": _Service(lambda: _by_arn("cloudwatch"), "TagResource", "UntagResource"),
    "ec2": _Service(_ec2, "CreateTags", "DeleteTags"),
    "elasticloadbalancing": _Service(lambda: _by_arn("elasticloadbalancing"), "AddTags", "RemoveTags"),
    "events": _Service(lambda: _by_arn("events"), "TagResource", "UntagResource"),
    "kms": _Service(lambda: _in_record("kms"), "TagResource", "UntagResource"),
    "logs": _Service(lambda: _in_record("logs"), "TagResource", "UntagResource"),
    "rds": _Service(_rds, "AddTagsToResource", "RemoveTagsFromResource"),
    "route53": _Service(_route53, "ChangeTagsForResource", "ChangeTagsForResource"),
    "s3": _Service(_s3, "PutBucketTagging", "PutBucketTagging"),
    "scheduler": _Service(lambda: _by_arn("scheduler"), "TagResource", "UntagResource"),
    "secretsmanager": _Service(lambda: _in_record("secretsmanager"), "TagResource", "UntagResource"),
    "sns": _Service(lambda: _in_record("sns"), "TagResource", "UntagResource"),
    "ssm": _Service(_ssm, "AddTagsToResource", "RemoveTagsFromResource"),
    "wafv2": _Service(lambda: _by_arn("wafv2"), "TagResource", "UntagResource"),
}


def install() -> None:
    """Put ours beside ministack's own, and in the place of those that it has of these services."""
    theirs: dict[str, Callable[[], Iterator[tuple[str, Json]]]] = emulator.of_service("tagging", "_COLLECTORS")
    # One collector may stand for several services, and is asked once by being the same.
    regional = {collector: _of_region(collector) for collector in theirs.values()}
    theirs.update({service: regional[collector] for service, collector in theirs.items()})
    writers, removers = (emulator.of_service("tagging", name) for name in ("_WRITERS", "_REMOVERS"))
    for service, known in _SERVICES.items():
        theirs[service] = _collector(known)
        writers[service] = lambda spec, arn, tags: _change(spec.service, arn, lambda held: held | tags)
        removers[service] = lambda spec, arn, keys: _change(spec.service, arn, lambda held: _without(held, keys))
    _without_a_region("route53")
    registry.json_actions("tagging", ACTIONS)


def _of_region(collector: Callable[[], Iterator[tuple[str, Json]]]) -> Callable[[], Iterator[tuple[str, Json]]]:
    """Some of ministack's yield the resources of all regions."""

    def collect() -> Iterator[tuple[str, Json]]:
        here = ("", emulator.region())
        return (tagged for tagged in collector() if tagged[0].split(":")[3] in here)

    return collect


def _collector(service: _Service) -> Callable[[], Iterator[tuple[str, Json]]]:
    def collect() -> Iterator[tuple[str, Json]]:
        return ((bearer.arn, _PAIRS.written(bearer.tags)) for bearer in service.bearers() if bearer.tags)

    return collect


def _change(service: str, arn: str, change: Callable[[Tags], Tags]) -> None:
    bearer = _bearer(service, arn)
    if bearer is None:
        raise emulator.of_service("tagging", "_ResourceNotFound")(arn)
    bearer.place[bearer.at] = bearer.form.written(change(bearer.tags))
    if service == "rds":
        # Its descriptions have the tags beside.
        emulator.of_service("rds", "_sync_tag_list_to_resource")(arn)


def _bearer(service: str, arn: str) -> _Bearer | None:
    return next((bearer for bearer in _SERVICES[service].bearers() if bearer.arn == arn), None)


def _without(tags: Tags, keys: Sequence[str]) -> Tags:
    return {key: value for key, value in tags.items() if key not in keys}


def _without_a_region(service: str) -> None:
    """Take ARNs of a global service, which have no account either."""
    emulator.of_service("tagging", "_GLOBAL_RESOURCE_SERVICES").add(service)
    inner = emulator.of_service("tagging", "_require_resource_scope")

    def require(spec: Json, arn: str) -> None:
        if spec.service != service:
            inner(spec, arn)

    emulator.replace_in_service("tagging", "_require_resource_scope", require)


def _get(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """In pages, as AWS answers."""
    paging = ("PaginationToken", "ResourcesPerPage", "TagsPerPage")
    if request.get("ResourceARNList"):
        return dict(_ministack("GetResources", request))
    asked = {name: value for name, value in request.items() if name not in paging}
    found = _ministack("GetResources", asked)["ResourceTagMappingList"]
    size = int(request.get("ResourcesPerPage") or _LARGEST_PAGE)
    token = str(request.get("PaginationToken") or "0")
    if not 1 <= size <= _LARGEST_PAGE or not token.isdecimal():
        raise ServiceError("InvalidParameterException", f"ResourcesPerPage is 1 to {_LARGEST_PAGE}; a token is ours")
    end = int(token) + size
    return {
        "ResourceTagMappingList": found[int(token) : end],
        "PaginationToken": str(end) if end < len(found) else "",
    }


def _tag(request: Mapping[str, Json]) -> Mapping[str, Json]:
    tags: Mapping[str, str] = request.get("Tags") or {}
    return _where_allowed("TagResources", request, tags, lambda service: service.tag, tag_keys("aws:RequestTag", tags))


def _untag(request: Mapping[str, Json]) -> Mapping[str, Json]:
    return _where_allowed("UntagResources", request, request.get("TagKeys") or (), lambda service: service.untag, {})


def _where_allowed(
    action: str,
    request: Mapping[str, Json],
    keys: Any,
    right: Callable[[_Service], str],
    more: Mapping[str, Json],
) -> Mapping[str, Json]:
    """Change what the caller may change by each service's own right; the answer names the others."""
    if any(key.lower().startswith("aws:") for key in keys):
        raise ServiceError("InvalidParameterException", "Tag keys that begin with aws: are AWS's own.")
    refused: dict[str, Json] = {}
    for arn in request.get("ResourceARNList") or ():
        name = (arn.split(":", 3)[2:3] or [""])[0]
        service = _SERVICES.get(name)
        bearer = _bearer(name, arn) if service else None
        if service is None or bearer is None:
            continue
        held = {**more, "aws:TagKeys": list(keys), **tag_keys("aws:ResourceTag", bearer.tags)}
        if name == "s3":
            # It has no such keys for a bucket's tags: all of them are put anew.
            held = {}
        for asked in [right(service), *(["GetBucketTagging"] if name == "s3" else ())]:
            if not rights.allowed(Check(arn, held, f"{name}:{asked}")):
                refused[arn] = {
                    "ErrorCode": "AccessDeniedException",
                    "ErrorMessage": f"{emulator.caller()} is not authorized to perform {name}:{asked} on {arn}",
                    "StatusCode": 403,
                }
    rest = [arn for arn in request.get("ResourceARNList") or () if arn not in refused]
    failed = _ministack(action, {**request, "ResourceARNList": rest})["FailedResourcesMap"] if rest else {}
    return {"FailedResourcesMap": {**failed, **refused}}


def _ministack(action: str, request: Mapping[str, Json]) -> Mapping[str, Json]:
    found: Mapping[str, Json] = emulator.call("tagging", f"ResourceGroupsTaggingAPI_20170126.{action}", dict(request))
    return found


ACTIONS = {"GetResources": _get, "TagResources": _tag, "UntagResources": _untag}
