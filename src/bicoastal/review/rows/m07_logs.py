"""M7: logs kept for the days that were asked, in their own region; alarms, dashboards and somebody who is told."""

from __future__ import annotations

from bicoastal.cfn.deployment import Resource
from bicoastal.cfn.values import Unknown, unknowns
from bicoastal.review.case import Case
from bicoastal.review.model.writers import agents, declared, programs
from bicoastal.review.rows.aggregation import judge_aggregation
from bicoastal.review.verdict import Judgement, number, where

TITLE = "Logs kept as long as asked, in their own region; monitoring"
GROUP = "AWS::Logs::LogGroup"


def judge(case: Case) -> Judgement:
    """Who writes logs and where, for how long, and who hears of trouble."""
    judgement = Judgement()
    _retention(case, judgement)
    for region in case.regions:
        _producers(case, judgement, region)
        if not case.signals.of(region):
            judgement.lacks(f"{region} has no alarm and no dashboard: nobody is told of anything.")
            continue
        _alerts(case, judgement, region)
        _dashboard(case, judgement, region)
        _watched(case, judgement, region)
    if case.standby:
        _other_region(case, judgement)
    judge_aggregation(case, judgement)
    return judgement


def _retention(case: Case, judgement: Judgement) -> None:
    for item in case.deployment.of_type(GROUP):
        days = item.get("RetentionInDays")
        if isinstance(days, Unknown):
            judgement.unsure(f"{where(item)}: how long it keeps logs cannot be told: {days.reason}")
        elif number(days) is None:
            judgement.lacks(f"{where(item)} keeps logs for ever.")
        elif number(days) != case.demand.log_days:
            judgement.lacks(f"{where(item)} keeps logs for {days} days, not {case.demand.log_days}.")
        else:
            judgement.found(item, f"logs kept {days} days", "RetentionInDays")


def _producers(case: Case, judgement: Judgement, region: str) -> None:
    """Everything that writes logs writes to a group that is declared here: others would be kept for ever."""
    for producer, name, what in (*declared(case, region), *programs(case, region), *agents(case, region)):
        if name is None:
            judgement.lacks(f"{where(producer)}: {what} go nowhere.")
            continue
        hole = next((unknown for _, unknown in unknowns(name)), None)
        if hole is not None:
            judgement.unsure(f"{where(producer)}: where {what} go cannot be told: {hole.reason}")
            continue
        target = case.deployment.resource(name)
        if target is not None and target.type == "AWS::S3::Bucket":
            continue
        if target is None or target.type != GROUP:
            target = case.deployment.named(name, GROUP, region)
        if target is not None and producer.type == "AWS::WAFv2::LoggingConfiguration":
            _delivered(case, judgement, target)
        if target is None:
            spelled = case.deployment.spelled(name)
            judgement.lacks(
                f"{where(producer)} writes {what} to {spelled}, which no template of {region} declares: kept for ever."
            )
        elif target.region != region:
            judgement.lacks(f"{where(producer)} writes {what} to {target.region}, out of its region.")
    for group in case.deployment.of_type(GROUP, region=region):
        if not _written(case, group):
            judgement.unsure(f"{where(group)}: nothing here is seen to write to it.")


def _delivered(case: Case, judgement: Judgement, group: Resource) -> None:
    """The firewall's log is delivered by a service that a policy of CloudWatch Logs must let in, to a name it takes."""
    name = case.deployment.name(group)
    if name is not None and not case.deployment.spelled(name).startswith("aws-waf-logs-"):
        judgement.lacks(f"{where(group)} is refused as the firewall's log: its name must begin with aws-waf-logs-.")
    policies = case.deployment.of_type("AWS::Logs::ResourcePolicy", region=group.region)
    texts = [case.deployment.spelled(item.get("PolicyDocument", default="")) for item in policies]
    if not any("delivery.logs.amazonaws.com" in text for text in texts):
        judgement.lacks(f"{where(group)}: no policy lets the firewall's log be delivered to it.")


def _written(case: Case, group: Resource) -> bool:
    name = case.deployment.spelled(case.deployment.name(group) or group.reference)
    writers = (*declared(case, group.region), *programs(case, group.region), *agents(case, group.region))
    for _, value, _ in writers:
        if value is not None and (case.deployment.resource(value) is group or case.deployment.spelled(value) == name):
            return True
    return bool(case.deployment.referring(group))


def _alerts(case: Case, judgement: Judgement, region: str) -> None:
    """An alarm rings somewhere: a topic whose policy lets CloudWatch publish, with somebody subscribed."""
    topics: dict[int, Resource] = {}
    for alarm in case.signals.of(region):
        if not alarm.actions:
            continue
        for action in alarm.actions:
            target = case.deployment.resource(action)
            if target is not None and target.type == "AWS::SNS::Topic":
                topics[id(target)] = target
        for text in case.signals.unpublished(alarm):
            judgement.lacks(f"{text}: this alarm never rings.")
    if not topics:
        judgement.lacks(f"{region} has no alarm that reaches a topic: nobody is told of anything.")
    for topic in topics.values():
        _publishing(case, judgement, topic)
        judgement.found(topic, "where alarms of the region go")
        subscribed = [
            item
            for item in case.deployment.of_type("AWS::SNS::Subscription", region=region)
            if case.deployment.resource(item.get("TopicArn")) is topic
        ]
        endpoints = {case.deployment.spelled(item.get("Endpoint") or "") for item in subscribed}
        for address in case.demand.alerts:
            if address not in endpoints:
                judgement.lacks(f"{where(topic)}: {address} is not told of alarms in {region}.")


def _publishing(case: Case, judgement: Judgement, topic: Resource) -> None:
    """A topic with a policy of its own, or an encrypted one, must let CloudWatch in."""
    policies = [
        item
        for item in case.deployment.of_type("AWS::SNS::TopicPolicy", region=topic.region)
        if any(case.deployment.resource(value) is topic for value in item.items("Topics"))
    ]
    statements = [one for policy in policies for one in case.identities.document(policy, ("PolicyDocument",))]
    for service in ("cloudwatch.amazonaws.com", "events.amazonaws.com"):
        if not any(one.effect == "Allow" and service in one.principals for one in statements):
            judgement.lacks(f"{where(topic)}: no policy lets {service.partition('.')[0]} publish to it.")
    key = case.deployment.resource(topic.get("KmsMasterKeyId"))
    if key is not None:
        granted = [
            principal
            for one in case.identities.document(key, ("KeyPolicy",))
            if one.effect == "Allow"
            for principal in one.principals
        ]
        if "cloudwatch.amazonaws.com" not in granted:
            judgement.lacks(
                f"{where(key)} does not let CloudWatch encrypt messages for {topic.logical_id}: alarms are lost."
            )


def _dashboard(case: Case, judgement: Judgement, region: str) -> None:
    found = case.deployment.of_type("AWS::CloudWatch::Dashboard", region=region)
    if not found:
        judgement.lacks(f"{region} has no dashboard.")
    for item in found:
        judgement.found(item, "a dashboard")


_SERVICE = (
    ("AWS/ApplicationELB", ("HTTPCode_ELB_5XX_Count", "HTTPCode_Target_5XX_Count"), "users get errors"),
    ("AWS/ApplicationELB", ("HealthyHostCount",), "no target is healthy"),
    ("AWS/ApplicationELB", ("UnHealthyHostCount",), "a target stays unhealthy"),
    ("AWS/ApplicationELB", ("TargetResponseTime",), "answers are slow"),
    ("AWS/CertificateManager", ("DaysToExpiry",), "the certificate is about to expire"),
    ("AWS/WAFV2", ("BlockedRequests",), "the firewall blocks many requests"),
)
_MACHINES = (("mem", "instances run out of memory"), ("disk", "instances run out of disk"))


def _watched(case: Case, judgement: Judgement, region: str) -> None:
    """What users would notice first is watched."""
    if case.balancer(region) is None:
        return
    telling = case.telling(region)
    for namespace, names, text in _SERVICE:
        if not telling.on(namespace, *names):
            judgement.lacks(f"{region}: nobody is told when {text}.")
    for part, text in _MACHINES:
        if not telling.alone(part):
            judgement.lacks(f"{region}: nobody is told when {text}.")
    if not telling.of_event("aws.autoscaling", "Launch Unsuccessful"):
        judgement.lacks(f"{region}: nobody is told when an instance cannot be started.")
    if not telling.composites:
        judgement.lacks(f"{region}: no alarm says, for several reasons at once, that the region cannot serve.")
    _counted(case, judgement, region)


def _counted(case: Case, judgement: Judgement, region: str) -> None:
    """What the application's log says of errors is counted, and every count is listened to."""
    filters = case.deployment.of_type("AWS::Logs::MetricFilter", region=region)
    written = {case.deployment.spelled(name) for _, name, _ in agents(case, region) if not isinstance(name, Unknown)}
    if not any(case.deployment.spelled(item.get("LogGroupName") or "") in written for item in filters):
        judgement.lacks(f"{region}: errors in the instances' logs are not counted.")
    for item in filters:
        entries = [entry for entry in item.items("MetricTransformations") if isinstance(entry, dict)]
        names = {str(entry.get("MetricName")) for entry in entries}
        if not any(case.telling(region).on("", name) for name in names):
            judgement.lacks(f"{where(item)} counts {', '.join(sorted(names))}, and no alarm tells of it.")


def _other_region(case: Case, judgement: Judgement) -> None:
    """The loss of home is told by the standby: an alarm there that takes missing data for trouble."""
    standby = case.standby
    if not case.signals.of(standby):
        return
    for alarm in case.signals.of(standby):
        if alarm.missing_data == "breaching" and alarm.actions and not list(case.signals.unpublished(alarm)):
            judgement.found(alarm.resource, "rings in the standby when data stop")
            return
    judgement.lacks(f"No alarm in {standby} rings when {case.regions[0]} is gone: missing data count as fine.")
