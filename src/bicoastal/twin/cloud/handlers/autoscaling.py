"""Auto Scaling groups with all that decides what runs: target groups, zones, warm-up, maintenance, metrics.

Instances are made by the fleets' controller and by nobody else: ministack's invented ones are switched off. With the
data plane `fleets` attached CloudFormation waits for them, as creation and update policies say; without, a group is
there at once, and empty. API: `group_actions`, `group_scaling`, `group_refresh`; the controller's: `group_fleet`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from bicoastal.twin.cloud import emulator, planes
from bicoastal.twin.cloud.handlers import (
    group_actions,
    group_fleet,
    group_refresh,
    group_scaling,
    groups,
    rolling,
    signals,
)
from bicoastal.twin.cloud.handlers.ec2 import now
from bicoastal.twin.cloud.handlers.group_actions import ALL_METRICS
from bicoastal.twin.cloud.handlers.group_template import launch_template
from bicoastal.twin.cloud.handlers.launching import template_version
from bicoastal.twin.cloud.registry import Made, Refused, ResourceType, ServiceError, Wanted

Json = Any
Record = dict[str, Json]

NAMESPACE = "http://autoscaling.amazonaws.com/doc/2011-01-01/"
PLANE = "fleets"


class Group(ResourceType):
    """A group."""

    type = "AWS::AutoScaling::AutoScalingGroup"
    plane = PLANE

    def create(self, wanted: Wanted) -> Made:
        """Make it. A name that is taken, an unknown version of the template, or sizes out of order are refused."""
        if not planes.attached(PLANE):
            return _made(_create(wanted))
        resource = signals.Resource(wanted.stack, wanted.logical_id)
        policies = rolling.definition(resource)
        with signals.waiting(resource) as heard:
            record = _create(wanted)
            try:
                rolling.await_created(record, policies, resource, heard)
            except Refused:
                # CloudFormation deletes what failed; ministack would leave it, and its instances in the subnets.
                rolling.empty(record)
                groups.remove(record["AutoScalingGroupName"])
                raise
        record["_definition"] = policies
        return _made(record)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Change it. The desired capacity is its own, unless the template says one; it stays within the sizes."""
        record = groups.group(id_)
        if not planes.attached(PLANE):
            return _made(_change(record, wanted))
        resource = signals.Resource(wanted.stack, wanted.logical_id)
        back = "ROLLBACK" in resource.record["StackStatus"]
        policies = record.get("_definition") or {} if back else rolling.definition(resource)
        policy = (policies.get("UpdatePolicy") or {}).get("AutoScalingRollingUpdate")
        with signals.waiting(resource) as heard:
            _change(record, wanted)
            if policy is not None and (_moves(was, wanted) or "_rolling" in record):
                runs = record["LaunchTemplate"]
                number = template_version(runs["LaunchTemplateId"], runs["Version"])["VersionNumber"]
                rolling.RollingUpdate(record, policy, resource, heard, {**runs, "Version": str(number)}).run()
        record["_definition"] = policies
        return _made(record)

    def delete(self, id_: str, was: Wanted) -> None:
        """Bring it to zero, wait for that, and remove it."""
        record = emulator.store("autoscaling", "_asgs").get(id_)
        if record is not None and planes.attached(PLANE):
            rolling.empty(record)
        groups.remove(id_)


def _made(record: Record) -> Made:
    arn = record["AutoScalingGroupARN"]
    return Made(record["AutoScalingGroupName"], {"AutoScalingGroupARN": arn, "Arn": arn})


def _moves(was: Wanted, wanted: Wanted) -> bool:
    """Whether a change makes instances obsolete."""
    return any(was.get(name) != wanted.get(name) for name in ("LaunchTemplate", "VPCZoneIdentifier"))


def _create(wanted: Wanted) -> Record:
    name = wanted.name("AutoScalingGroupName", max_len=255)
    if name in emulator.store("autoscaling", "_asgs"):
        raise Refused(f"AutoScalingGroup by this name already exists: {name} (AlreadyExists)")
    arn = f"arn:aws:autoscaling:{emulator.region()}:{emulator.account()}:autoScalingGroup:{uuid.uuid4()}"
    record: Record = {
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": f"{arn}:autoScalingGroupName/{name}",
        "Instances": [],
        "CreatedTime": now(),
        "Status": "",
        "LaunchConfigurationName": "",
        "DesiredCapacity": 0,
    }
    return _put(record, wanted, int(wanted.get("DesiredCapacity") or wanted.get("MinSize")))


def _change(record: Record, wanted: Wanted) -> Record:
    given = wanted.get("DesiredCapacity")
    # While a rolling update has raised it, the size is the update's; it is put back at its end.
    desired = record["DesiredCapacity"] if given is None or "_rolling" in record else int(given)
    if given is not None and "_rolling" in record:
        record["_rolling"]["desired"] = int(given)
    return _put(record, wanted, desired)


def _put(record: Record, wanted: Wanted, desired: int) -> Record:
    settings = _settings(wanted)
    least, most = settings["MinSize"], settings["MaxSize"]
    if least > most:
        raise Refused("Max bound must be greater than or equal to min bound (ValidationError)")
    name = record["AutoScalingGroupName"]
    with groups.LOCK:
        targets = settings.pop("TargetGroupARNs")
        record.update(settings)
        record["Tags"] = _group_tags(name, wanted)
        emulator.store("autoscaling", "_tags")[name] = record["Tags"]
        within = min(max(desired, least), most)
        because = (
            f"a user request update of AutoScalingGroup constraints to min: {least}, max: {most}, desired: {within}"
        )
        if "_cause" not in record:
            because = "a user request created an AutoScalingGroup"
        groups.set_desired(record, within, because)
        groups.set_target_groups(record, targets)
    return record


def _settings(wanted: Wanted) -> Record:
    subnets = [_subnet(id_) for id_ in wanted.get("VPCZoneIdentifier") or ()]
    zones = sorted({subnet["AvailabilityZone"] for subnet in subnets}) or list(wanted.get("AvailabilityZones") or ())
    if not zones:
        raise Refused("You must specify at least one availability zone or subnet (ValidationError)")
    if len({subnet["VpcId"] for subnet in subnets}) > 1:
        raise Refused("The subnets are of several VPCs (ValidationError)")
    _check_target_groups(wanted, {subnet["VpcId"] for subnet in subnets})
    return {
        "MinSize": int(wanted.get("MinSize")),
        "MaxSize": int(wanted.get("MaxSize")),
        "DefaultCooldown": int(wanted.get("Cooldown") or 300),
        "DefaultInstanceWarmup": wanted.get("DefaultInstanceWarmup"),
        "AvailabilityZones": zones,
        "VPCZoneIdentifier": ",".join(wanted.get("VPCZoneIdentifier") or ()),
        "AvailabilityZoneDistribution": wanted.get("AvailabilityZoneDistribution")
        or {"CapacityDistributionStrategy": "balanced-best-effort"},
        "TargetGroupARNs": list(wanted.get("TargetGroupARNs") or ()),
        "HealthCheckType": wanted.get("HealthCheckType", "EC2"),
        "HealthCheckGracePeriod": int(wanted.get("HealthCheckGracePeriod") or 0),
        "TerminationPolicies": list(wanted.get("TerminationPolicies") or ("Default",)),
        "NewInstancesProtectedFromScaleIn": bool(wanted.get("NewInstancesProtectedFromScaleIn", False)),
        "CapacityRebalance": bool(wanted.get("CapacityRebalance", False)),
        "InstanceMaintenancePolicy": wanted.get("InstanceMaintenancePolicy"),
        "MaxInstanceLifetime": wanted.get("MaxInstanceLifetime"),
        "EnabledMetrics": [
            {"Metric": metric, "Granularity": collection["Granularity"]}
            for collection in wanted.get("MetricsCollection") or ()
            for metric in collection.get("Metrics") or ALL_METRICS
        ],
        "LaunchTemplate": launch_template(wanted.get("LaunchTemplate") or {}),
    }


def _subnet(id_: str) -> Record:
    found = emulator.store("ec2", "_subnets").get(id_)
    if found is None:
        raise Refused(f"The subnet ID '{id_}' does not exist (ValidationError)")
    subnet: Record = found
    return subnet


def _check_target_groups(wanted: Wanted, vpcs: set[str]) -> None:
    for arn in wanted.get("TargetGroupARNs") or ():
        group = emulator.store("alb", "_tgs").get(arn)
        if group is None:
            raise Refused(f"Provided Target Groups may not be valid. Target group ARNs: {arn} (ValidationError)")
        if vpcs and group.get("VpcId") not in vpcs:
            raise Refused(f"The target group {arn} is of another VPC than the subnets (ValidationError)")


def _group_tags(name: str, wanted: Wanted) -> list[Json]:
    # CloudFormation's own are on the instances, too; no template declares them.
    declared = {
        tag["Key"]: bool(tag.get("PropagateAtLaunch", tag["Key"].startswith("aws:")))
        for tag in wanted.get("Tags") or ()
    }
    return [
        {
            "Key": key,
            "Value": value,
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "PropagateAtLaunch": declared.get(key, True),
        }
        for key, value in wanted.tags.items()
    ]


def _create_by_api(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """CreateAutoScalingGroup: what a template says, said by a call."""
    properties = _properties(request)
    properties.setdefault("MinSize", 0)
    tags = {tag["Key"]: tag.get("Value", "") for tag in properties.get("Tags") or ()}
    _refusing(lambda: _create(Wanted("", "", properties, tags)))
    return {}


def _update_by_api(request: Mapping[str, Json]) -> Mapping[str, Json]:
    """UpdateAutoScalingGroup: what is not given stays."""
    record = groups.group(request.get("AutoScalingGroupName"))
    settings = _properties(request)
    desired = settings.pop("DesiredCapacity", record["DesiredCapacity"])
    if "Cooldown" in settings:
        settings["DefaultCooldown"] = settings.pop("Cooldown")
    if "LaunchTemplate" in settings:
        settings["LaunchTemplate"] = _refusing(lambda: launch_template(settings["LaunchTemplate"]))
    if "VPCZoneIdentifier" in settings:
        subnets = settings["VPCZoneIdentifier"]
        found = _refusing(lambda: [_subnet(id_) for id_ in subnets])
        settings["AvailabilityZones"] = sorted({subnet["AvailabilityZone"] for subnet in found})
        settings["VPCZoneIdentifier"] = ",".join(subnets)
    least, most = ({**record, **settings}[name] for name in ("MinSize", "MaxSize"))
    if least > most:
        raise groups.invalid("Max bound must be greater than or equal to min bound")
    if "DesiredCapacity" in request and not least <= desired <= most:
        raise groups.invalid(
            f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}"
        )
    with groups.LOCK:
        settings.pop("Tags", None)
        record.update(settings)
        within = min(max(desired, least), most)
        groups.set_desired(
            record,
            within,
            f"a user request update of AutoScalingGroup constraints to min: {least}, max: {most}, desired: {within}",
        )
    return {}


def _refusing(act: Callable[[], Any]) -> Any:
    """Run what raises a template's refusal, and refuse the call so."""
    try:
        return act()
    except Refused as error:
        message = str(error)
        code = "AlreadyExists" if "(AlreadyExists)" in message else "ValidationError"
        raise ServiceError(code, message.removesuffix(f" ({code})")) from error


_NUMBERS = (
    "MinSize", "MaxSize", "DesiredCapacity", "HealthCheckGracePeriod", "DefaultInstanceWarmup", "MaxInstanceLifetime",
)  # fmt: skip
_TEXTS = ("AutoScalingGroupName", "HealthCheckType")
_LISTS = ("AvailabilityZones", "TargetGroupARNs", "TerminationPolicies")
_FLAGS = ("NewInstancesProtectedFromScaleIn", "CapacityRebalance")


def _properties(request: Mapping[str, Json]) -> Record:
    """A call's parameters as a template's properties."""
    found: Record = {name: int(request[name]) for name in _NUMBERS if request.get(name) not in (None, "")}
    found |= {name: request[name] for name in _TEXTS if request.get(name)}
    found |= {name: list(request[name]) for name in _LISTS if request.get(name)}
    found |= {name: str(request[name]).lower() == "true" for name in _FLAGS if name in request}
    if request.get("DefaultCooldown"):
        found["Cooldown"] = int(request["DefaultCooldown"])
    if request.get("VPCZoneIdentifier"):
        found["VPCZoneIdentifier"] = [id_.strip() for id_ in request["VPCZoneIdentifier"].split(",")]
    if request.get("LaunchTemplate"):
        found["LaunchTemplate"] = request["LaunchTemplate"]
    if request.get("InstanceMaintenancePolicy"):
        found["InstanceMaintenancePolicy"] = {
            name: int(value) for name, value in request["InstanceMaintenancePolicy"].items()
        }
    if request.get("Tags"):
        found["Tags"] = [
            {**tag, "PropagateAtLaunch": str(tag.get("PropagateAtLaunch", "false")).lower() == "true"}
            for tag in request["Tags"]
        ]
    return found


def install() -> None:
    """A group has the instances that the fleets' controller gave it, not those that its size asks for; signals."""
    emulator.replace_in_service("autoscaling", "_reconcile_instances", lambda _: None)
    signals.install()
    if planes.attached(PLANE):
        _roll_back_failed_updates()


def _roll_back_failed_updates() -> None:
    """A rolling update that failed has replaced instances: its group is sent back, too."""
    stacks = emulator.stacks()
    inner = stacks._sends_back_failed_update
    stacks._sends_back_failed_update = lambda type_: type_ == Group.type or inner(type_)


TYPES = (Group(),)
ACTIONS = {
    "CreateAutoScalingGroup": _create_by_api,
    "UpdateAutoScalingGroup": _update_by_api,
    **group_actions.ACTIONS,
    **group_scaling.ACTIONS,
    **group_refresh.ACTIONS,
}
QUESTIONS = group_fleet.QUESTIONS
REPORTS = {**group_fleet.REPORTS, **group_scaling.REPORTS}
