"""Route 53's health checks as a CloudFormation type, with the rules that Route 53 applies to each kind.

What their data plane says of them is in `route53_health`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, registry
from bicoastal.twin.cloud.answers import Answer
from bicoastal.twin.cloud.handlers import route53_health
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, ServiceError, Wanted

Json = Any
_ENDPOINT = ("HTTP", "HTTPS", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "TCP")
_PLAIN_STATISTICS = ("Average", "Sum", "Minimum", "Maximum", "SampleCount")


class HealthCheck(ResourceType):
    """A health check: of an endpoint, of an alarm, or calculated."""

    type = "AWS::Route53::HealthCheck"

    def create(self, wanted: Wanted) -> Made:
        """Make it."""
        config = _config(wanted)
        id_ = "-".join(secrets.token_hex(size) for size in (4, 2, 2, 2, 6))
        emulator.store("route53", "_health_checks")[id_] = {
            "id": id_,
            "caller_reference": f"{wanted.stack}-{wanted.logical_id}-{secrets.token_hex(4)}",
            "config": config,
            "version": 1,
        }
        _put_tags("healthcheck", id_, wanted.tags)
        route53_health.keep_alarms()
        return Made(id_, {"HealthCheckId": id_})

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Everything but type, interval and latency measurement changes in place."""
        before, after = was.get("HealthCheckConfig"), wanted.get("HealthCheckConfig")
        if any(before.get(name) != after.get(name) for name in ("Type", "MeasureLatency", "RequestInterval")):
            return self.create(wanted)
        record = emulator.store("route53", "_health_checks")[id_]
        record["config"] = _config(wanted)
        record["version"] += 1
        _put_tags("healthcheck", id_, wanted.tags)
        route53_health.keep_alarms()
        return Made(id_, {"HealthCheckId": id_})

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it. Route 53 refuses it while a calculated check counts it."""
        checks = emulator.store("route53", "_health_checks")
        parents = [key for key, other in checks.items() if id_ in other["config"].get("ChildHealthChecks", ())]
        if parents:
            raise ServiceError("HealthCheckInUse", f"Health check {id_} is a child of {', '.join(parents)}.")
        checks.pop(id_, None)
        emulator.store("route53", "_tags").pop(("healthcheck", id_), None)


def _config(wanted: Wanted) -> dict[str, Json]:
    config = dict(wanted.get("HealthCheckConfig"))
    match config["Type"]:
        case "CALCULATED":
            _check_calculated(config)
        case "CLOUDWATCH_METRIC":
            _check_alarm(config)
        case kind if kind in _ENDPOINT:
            _check_endpoint(config)
        case kind:
            raise Refused(f"The twin has no health checks of type {kind} (NotImplemented)")
    return config


def _check_endpoint(config: Mapping[str, Json]) -> None:
    if not config.get("FullyQualifiedDomainName") and not config.get("IPAddress"):
        raise Refused("Invalid parameter: a domain name or an IP address is required (InvalidInput)")
    if config["Type"].endswith("STR_MATCH") != bool(config.get("SearchString")):
        raise Refused("SearchString is for string matches, and required there (InvalidInput)")
    if config.get("RequestInterval", 30) not in (10, 30):
        raise Refused("RequestInterval is 10 or 30 seconds (InvalidInput)")
    if config.get("ResourcePath") and config["Type"] == "TCP":
        raise Refused("ResourcePath is not for TCP (InvalidInput)")


def _check_calculated(config: Mapping[str, Json]) -> None:
    checks = emulator.store("route53", "_health_checks")
    for child in config.get("ChildHealthChecks", ()):
        if checks[child]["config"]["Type"] == "CALCULATED":
            raise Refused(f"A calculated health check cannot monitor {child}, which is calculated (InvalidInput)")
    if int(config.get("HealthThreshold", 0)) > len(config.get("ChildHealthChecks", ())):
        raise Refused("HealthThreshold is above the number of children (InvalidInput)")


def _check_alarm(config: Mapping[str, Json]) -> None:
    """Route 53 reads the alarm's metric itself, so it takes the plain ones only."""
    identifier = config.get("AlarmIdentifier") or {}
    with emulator.in_region(identifier.get("Region", emulator.region())):
        alarm = emulator.store("cloudwatch", "_alarms").get(identifier.get("Name"))
    if alarm is None:
        raise Refused(f"The alarm {identifier.get('Name')} does not exist in {identifier.get('Region')} (InvalidInput)")
    if alarm.get("Metrics"):
        raise Refused("Route 53 does not support alarms that use metric math (InvalidInput)")
    if alarm.get("ExtendedStatistic") or alarm.get("Statistic") not in _PLAIN_STATISTICS:
        raise Refused("Route 53 does not support alarms on percentiles (InvalidInput)")
    if int(alarm.get("Period", 60)) < 60:
        raise Refused("Route 53 does not support high-resolution alarms (InvalidInput)")
    evaluated = int(alarm.get("EvaluationPeriods", 1))
    if int(alarm.get("DatapointsToAlarm") or evaluated) != evaluated:
        raise Refused("Route 53 does not support M out of N alarms (InvalidInput)")


def install() -> None:
    """Put it all before ministack's own answers."""
    _lowercase_booleans()
    _whole_lists()
    registry.extend("AWS::Route53::HostedZone", after=lambda id_, wanted: _put_tags("hostedzone", id_, wanted.tags))
    handlers = emulator.service_handlers()
    inner = handlers["route53"]

    async def handle(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query: Mapping[str, Json]
    ) -> Answer:
        ours = route53_health.answer(method, path, query)
        if ours is not None:
            return ours
        found: Answer = await inner(method, path, headers, body, query)
        if method == "POST" and "/healthcheck" in path:
            route53_health.keep_alarms()
        return found

    handlers["route53"] = handle


def _lowercase_booleans() -> None:
    """XML's booleans are lower case: an inverted check that answers `True` reads as one that is not inverted.

    Route 53 says them also where nobody did.
    """
    inner = emulator.of_service("route53", "_build_health_check_el")

    def build(parent: Any, check: Mapping[str, Json]) -> None:
        config = {
            name: str(value).lower() if isinstance(value, bool) else value for name, value in check["config"].items()
        }
        plain = {"Inverted": "false", "Disabled": "false"}
        if config["Type"] in _ENDPOINT:
            plain["MeasureLatency"] = "false"
        inner(parent, {**check, "config": {**plain, **config}})

    emulator.replace_in_service("route53", "_build_health_check_el", build)


def _whole_lists() -> None:
    """Children and regions of a check that the API makes: ministack looks for them one level too deep."""
    inner = emulator.of_service("route53", "_parse_health_check_config")

    def parse(element: Any) -> dict[str, Json]:
        config = dict(inner(element))
        for part in element:
            name = part.tag.rpartition("}")[2]
            if name in ("ChildHealthChecks", "Regions"):
                config[name] = [item.text or "" for item in part]
        return config

    emulator.replace_in_service("route53", "_parse_health_check_config", parse)


def _put_tags(kind: str, id_: str, tags: Mapping[str, str]) -> None:
    emulator.store("route53", "_tags")[(kind, id_)] = dict(tags)


TYPES = (HealthCheck(),)
REPORTS = {
    "route53.health": route53_health.take_health,
    "route53.observations": route53_health.take_observations,
}
QUESTIONS = {"route53.everything": route53_health.everything}
