"""Load balancers: names as CloudWatch and CloudFormation know them."""

from __future__ import annotations

from bicoastal.twin.cloud import emulator


def full_names() -> None:
    """A target group's full name begins with `targetgroup/`: alarms' dimensions and splits of it rely on it."""
    inner = emulator.of_service("alb", "_target_group_full_name_from_arn")

    def full_name(arn: str) -> str:
        tail = str(inner(arn))
        return tail if tail.startswith("targetgroup/") else f"targetgroup/{tail}"

    emulator.replace_in_service("alb", "_target_group_full_name_from_arn", full_name)
