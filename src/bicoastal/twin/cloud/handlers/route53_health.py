"""What Route 53 says of health and answers: from what its data plane reports, by the rules that it goes by itself.

GetHealthCheckStatus and GetHealthCheckLastFailureReason give the checkers' last words, and only where a data plane is
attached; TestDNSAnswer evaluates the records here, with the same code as the DNS server.
"""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import answers, emulator, planes
from bicoastal.twin.cloud.answers import Answer, Items, ServiceError
from bicoastal.twin.cloud.handlers import targets
from bicoastal.twin.cloud.registry import Unchanged
from bicoastal.twin.names import checks as rules
from bicoastal.twin.names.checks import Check
from bicoastal.twin.names.evaluation import outcomes
from bicoastal.twin.names.records import Balancer, World, Zone

Json = Any
_PATH = re.compile(r"/2013-04-01/(?:healthcheck/([^/]+)/(status|lastfailurereason)|(testdnsanswer))/?")
_NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_HEALTH = emulator.new_table("route53-health", regional=False)
"""`statuses` by check, `balancers` by name, `coasts` by region: as reported last. Kept over a restart."""
_OBSERVATIONS: dict[str, Mapping[str, Json]] = {}
"""Checkers' last words, by check; they are new again soon after a restart."""
_DEFAULT_COAST = "us-east-1"
"""Where TestDNSAnswer asks from, unless it is told otherwise."""


def answer(method: str, path: str, query: Mapping[str, Json]) -> Answer | None:
    """The answer to a call that is one of these; None where it is another one."""
    found = _PATH.fullmatch(path)
    if found is None or method != "GET":
        return None
    try:
        if found[3]:
            return _written("TestDNSAnswerResponse", _test({name: _first(value) for name, value in query.items()}))
        if not planes.attached("names"):
            return None
        reasons = found[2] == "lastfailurereason"
        action = "GetHealthCheckLastFailureReason" if reasons else "GetHealthCheckStatus"
        return _written(f"{action}Response", _observed(found[1], "failures" if reasons else "seen", action))
    except ServiceError as error:
        return _refused(error)


def keep_alarms() -> None:
    """A check keeps the alarm's settings of its creation or last change: later ones of the alarm are not followed."""
    for check in emulator.store("route53", "_health_checks").values():
        config = check["config"]
        if config.get("Type") == rules.ALARM and check.get("kept_version") != check.get("version"):
            identifier = config.get("AlarmIdentifier") or {}
            with emulator.in_region(identifier.get("Region") or emulator.region()):
                alarm = emulator.store("cloudwatch", "_alarms").get(identifier.get("Name"))
            check["kept_alarm"] = dict(alarm) if alarm else None
            check["kept_version"] = check.get("version")


def take_health(data: Mapping[str, Json]) -> Json:
    """What has become of the checks: `{"statuses", "balancers", "coasts"}`. No other controller goes by it."""
    for name in ("statuses", "balancers", "coasts"):
        _HEALTH[name] = dict(data[name])
    return Unchanged()


def take_observations(data: Mapping[str, Json]) -> Json:
    """What checkers saw last: `{"checks": {id: {"seen": [...], "failures": [...]}}}`."""
    _OBSERVATIONS.clear()
    _OBSERVATIONS.update(data["checks"])
    return Unchanged()


def everything(data: Mapping[str, Json]) -> Json:
    """All that the data plane stands on; `regions` are those of the balancers."""
    checks = emulator.store("route53", "_health_checks")
    zones, records = emulator.store("route53", "_zones"), emulator.store("route53", "_records")
    return copy.deepcopy(
        {
            "zones": [
                {"Id": id_, "Name": zone["name"], "Records": list(records.get(id_, ()))}
                for id_, zone in zones.items()
                if not zone.get("private")
            ],
            "checks": [
                {"Id": id_, "HealthCheckVersion": check.get("version", 1), "HealthCheckConfig": check["config"]}
                for id_, check in checks.items()
            ],
            "alarms": {id_: check["kept_alarm"] for id_, check in checks.items() if check.get("kept_alarm")},
            "statuses": dict(_HEALTH.get("statuses", {})),
            "balancers": [item for region in data["regions"] for item in _balancers(region)],
        }
    )


def _balancers(region: str) -> list[dict[str, Json]]:
    with emulator.in_region(region):
        return [
            {"Region": region, "LoadBalancerArn": arn, "DNSName": item["DNSName"], "Healthy": _healthy(arn)}
            for arn, item in emulator.store("alb", "_lbs").items()
        ]


def _healthy(arn: str) -> bool:
    """Every target group that it uses has a healthy target; one without targets has none."""
    used = [
        group
        for group in emulator.store("alb", "_tgs").values()
        if arn in group.get("LoadBalancerArns", ()) and targets.is_used(targets.group_arn(group))
    ]
    return bool(used) and all(map(_has_healthy, used))


def _has_healthy(group: dict[str, Json]) -> bool:
    registered = emulator.store("alb", "_targets").get(targets.group_arn(group), ())
    return any(targets.health_of(group, targets.key_of(group, target))["State"] == "healthy" for target in registered)


def _observed(id_: str, which: str, action: str) -> dict[str, Json]:
    check = emulator.store("route53", "_health_checks").get(id_)
    if check is None:
        raise ServiceError("NoSuchHealthCheck", f"No health check exists with the specified ID {id_}.", 404)
    if check["config"].get("Type") not in rules.ENDPOINT_KINDS:
        raise ServiceError("InvalidInput", f"{action} is for health checks of endpoints: {id_} probes none.")
    observations = [
        {
            "Region": item["region"],
            "IPAddress": item["address"],
            "StatusReport": {"Status": item["text"], "CheckedTime": item["at"]},
        }
        for item in _OBSERVATIONS.get(id_, {}).get(which, ())
    ]
    return {"HealthCheckObservations": Items("HealthCheckObservation", observations)}


def _test(asked: Mapping[str, str]) -> dict[str, Json]:
    id_, name, kind = asked.get("hostedzoneid", ""), asked.get("recordname", ""), asked.get("recordtype", "")
    stored = emulator.store("route53", "_zones").get(id_)
    if stored is None:
        raise ServiceError("NoSuchHostedZone", f"No hosted zone found with ID: {id_}", 404)
    zone = Zone.read(id_, stored["name"], emulator.store("route53", "_records").get(id_, ()))
    found = outcomes(_world(zone), name, kind, _near(asked))
    if found[0][1].code == "SERVFAIL":
        raise ServiceError("InvalidInput", f"{name} {kind}: the twin does not evaluate this record's routing policy")
    # Where weights decide, the likeliest: the same question has the same answer.
    best = max(found, key=lambda each: each[0])[1]
    return {
        "Nameserver": "ns-1.awsdns-1.com",
        "RecordName": name.rstrip("."),
        "RecordType": kind,
        "RecordData": Items("RecordDataEntry", [line.value for line in best.lines]),
        "ResponseCode": "NXDOMAIN" if best.code == "REFUSED" else best.code,
        "Protocol": "UDP",
    }


def _world(zone: Zone) -> World:
    balancers = {
        name: Balancer("", address, healthy) for name, (address, healthy) in _HEALTH.get("balancers", {}).items()
    }
    return World((zone,), {**_initial(), **_HEALTH.get("statuses", {})}, balancers)


def _initial() -> dict[str, bool]:
    """Until probes are counted: healthy, and those that are inverted unhealthy."""
    checks = emulator.store("route53", "_health_checks")
    return rules.statuses(
        {
            id_: Check(
                id_,
                1,
                str(check["config"]["Type"]),
                inverted=bool(check["config"].get("Inverted", False)),
                children=tuple(check["config"].get("ChildHealthChecks", ())),
                healthy_children=int(check["config"].get("HealthThreshold") or 0),
            )
            for id_, check in checks.items()
        },
        {},
    )


def _near(asked: Mapping[str, str]) -> list[str]:
    """The regions, from the place that the question is said to come from."""
    coasts = {region: ipaddress.ip_network(text) for region, text in _HEALTH.get("coasts", {}).items()}
    place = _DEFAULT_COAST
    for name in ("resolverip", "edns0clientsubnetip"):
        if text := asked.get(name):
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                raise ServiceError("InvalidInput", f"{text} is no IP address") from None
            place = next((region for region, network in coasts.items() if address in network), place)
    return [place, *(region for region in coasts if region != place)]


def _first(value: Json) -> str:
    return str((value[0] if value else "") if isinstance(value, list) else value)


def _written(name: str, data: Mapping[str, Json]) -> Answer:
    body = f'<?xml version="1.0"?>\n<{name} xmlns="{_NAMESPACE}">{answers.xml(data)}</{name}>'
    return 200, {"Content-Type": "text/xml"}, body.encode()


def _refused(error: ServiceError) -> Answer:
    inner = answers.xml({"Error": {"Type": "Sender", "Code": error.code, "Message": error.message}})
    body = f'<ErrorResponse xmlns="{_NAMESPACE}">{inner}<RequestId>twin</RequestId></ErrorResponse>'
    return error.status, {"Content-Type": "text/xml"}, body.encode()
