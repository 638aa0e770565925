"""A region's service as one thing: balancer, listeners, target groups, fleet, and what the fleet boots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Value
from bicoastal.review.model.machine import Machine, machine_of
from bicoastal.review.model.network import groups_of

LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


@dataclass(frozen=True)
class Fleet:
    """An Auto Scaling group with its launch template."""

    resource: Resource
    template: Resource | None
    machine: Machine | None
    groups: tuple[Resource, ...]
    targets: tuple[Resource, ...]
    """Target groups that its instances join."""
    profile: Resource | None
    role: Resource | None

    @property
    def configured(self) -> str:
        """What it starts by, where that is no launch template that is here; empty where it starts by nothing."""
        if self.template is not None:
            return ""
        if self.resource.get("LaunchConfigurationName") is not None:
            return "a launch configuration"
        if self.resource.get("LaunchTemplate") is not None or self.resource.get("MixedInstancesPolicy") is not None:
            return "a launch template that is not among these templates"
        return ""

    def data(self, *path: str | int) -> Value:
        """A property of the launch template's data."""
        return self.template.get("LaunchTemplateData", *path) if self.template else None


@dataclass(frozen=True)
class Balancer:
    """A load balancer with what hangs on it."""

    resource: Resource
    groups: tuple[Resource, ...]
    listeners: tuple[Resource, ...]
    rules: tuple[Resource, ...]
    targets: tuple[Resource, ...] = field(default=())
    """Target groups that a listener or a rule forwards to."""

    def attribute(self, key: str) -> Value:
        """One of its attributes."""
        return attribute(self.resource, "LoadBalancerAttributes", key)


def exported(deployment: Deployment, item: Resource) -> bool:
    """Whether an output gives it away: another stack, which may not be here, goes on from it."""
    outputs = item.stack.evaluator.outputs
    return any(deployment.leads_to(item.stack.output(name), item) for name in outputs)


def attribute(resource: Resource, name: str, key: str) -> Value:
    """The value of a key in a list of Key and Value."""
    for item in resource.items(name):
        if isinstance(item, dict) and item.get("Key") == key:
            return item.get("Value")
    return None


def fleets(deployment: Deployment, region: str) -> list[Fleet]:
    """The fleets of a region."""
    return [
        _fleet(deployment, item) for item in deployment.of_type("AWS::AutoScaling::AutoScalingGroup", region=region)
    ]


def _fleet(deployment: Deployment, item: Resource) -> Fleet:
    specification = item.get("LaunchTemplate") or item.get(
        "MixedInstancesPolicy", "LaunchTemplate", "LaunchTemplateSpecification"
    )
    specification = specification if isinstance(specification, dict) else {}
    name = specification.get("LaunchTemplateId", specification.get("LaunchTemplateName"))
    template = deployment.resource(name) if name is not None else None
    machine = machine_of(deployment, template) if template else None
    groups: list[Value] = []
    profile = None
    if template is not None:
        groups = template.items("LaunchTemplateData", "SecurityGroupIds")
        for index, _ in enumerate(template.items("LaunchTemplateData", "NetworkInterfaces")):
            groups = groups + template.items("LaunchTemplateData", "NetworkInterfaces", index, "Groups")
        described = template.get("LaunchTemplateData", "IamInstanceProfile")
        if isinstance(described, dict):
            profile = deployment.resource(described.get("Arn", described.get("Name")))
    role = deployment.resource(profile.get("Roles", 0)) if profile else None
    targets = [deployment.resource(value) for value in item.items("TargetGroupARNs")]
    return Fleet(
        item,
        template,
        machine,
        tuple(groups_of(deployment, groups)),
        tuple(target for target in targets if target is not None),
        profile,
        role,
    )


def balancers(deployment: Deployment, region: str) -> list[Balancer]:
    """The application load balancers of a region."""
    found = []
    for item in deployment.of_type("AWS::ElasticLoadBalancingV2::LoadBalancer", region=region):
        if item.get("Type", default="application") != "application":
            continue
        listeners = [
            listener
            for listener in deployment.of_type(LISTENER, region=region)
            if deployment.resource(listener.get("LoadBalancerArn")) is item
        ]
        rules = [
            rule
            for rule in deployment.of_type(RULE, region=region)
            if any(deployment.resource(rule.get("ListenerArn")) is listener for listener in listeners)
        ]
        targets: dict[int, Resource] = {}
        for holder, name in [*((one, "DefaultActions") for one in listeners), *((one, "Actions") for one in rules)]:
            for value, _ in forwards(holder, name):
                target = deployment.resource(value)
                if target is not None:
                    targets[id(target)] = target
        found.append(
            Balancer(
                item,
                tuple(groups_of(deployment, item.items("SecurityGroups"))),
                tuple(listeners),
                tuple(rules),
                tuple(targets.values()),
            )
        )
    return found


def forwards(holder: Resource, name: str) -> Iterator[tuple[Value, Value]]:
    """Target groups and weights that a listener's or rule's actions forward to."""
    for index, action in enumerate(holder.items(name)):
        if not isinstance(action, dict) or action.get("Type") != "forward":
            continue
        if action.get("TargetGroupArn") is not None:
            yield action["TargetGroupArn"], 1
        for entry in holder.items(name, index, "ForwardConfig", "TargetGroups"):
            if isinstance(entry, dict):
                yield entry.get("TargetGroupArn"), entry.get("Weight", 1)
