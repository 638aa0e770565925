"""Composite alarms as a CloudFormation type."""

from __future__ import annotations

from bicoastal.twin.cloud import emulator
from bicoastal.twin.cloud.registry import Made, ResourceType, Wanted

_LISTS = ("AlarmActions", "OKActions", "InsufficientDataActions")


class CompositeAlarm(ResourceType):
    """An alarm on other alarms; CloudWatch refuses a rule that names one that is not there."""

    type = "AWS::CloudWatch::CompositeAlarm"

    def create(self, wanted: Wanted) -> Made:
        """Make it."""
        return self._put(wanted.name("AlarmName", max_len=255), wanted)

    def update(self, id_: str, was: Wanted, wanted: Wanted) -> Made:
        """Rule and actions change; the state stays until the rule says otherwise."""
        return self._put(id_, wanted)

    def delete(self, id_: str, was: Wanted) -> None:
        """Remove it."""
        emulator.store("cloudwatch", "_composite_alarms").pop(id_, None)

    def _put(self, name: str, wanted: Wanted) -> Made:
        emulator.call(
            "cloudwatch",
            "GraniteServiceVersion20100801.PutCompositeAlarm",
            {
                "AlarmName": name,
                "AlarmRule": wanted.get("AlarmRule"),
                "AlarmDescription": wanted.get("AlarmDescription", ""),
                "ActionsEnabled": wanted.get("ActionsEnabled", True),
                **{name: list(wanted.get(name) or ()) for name in _LISTS},
            },
        )
        arn = str(emulator.store("cloudwatch", "_composite_alarms")[name]["AlarmArn"])
        emulator.store("cloudwatch", "_resource_tags")[arn] = dict(wanted.tags)
        return Made(name, {"Arn": arn})


TYPES = (CompositeAlarm(),)
