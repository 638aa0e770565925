"""What is answered only where the automation controller runs: executions, commands, sessions, schedules that fire.

Without it an execution would never end, so Systems Manager refuses to begin one, as ministack does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bicoastal.twin.cloud import planes, registry, rights
from bicoastal.twin.cloud.handlers import (
    ec2_rights,
    operation_rights,
    scheduler,
    ssm,
    ssm_automation,
    ssm_commands,
    ssm_sessions,
)


def install() -> None:
    """The rights are asked for in any case: IAM does not depend on who runs what."""
    for module in (ec2_rights, operation_rights, scheduler, ssm, ssm_automation, ssm_commands, ssm_sessions):
        rights.rules(module.RIGHTS)
    rights.install()
    if planes.attached("automation"):
        scheduler.install()
        registry.json_actions("ssm", {**ssm_automation.ACTIONS, **ssm_commands.ACTIONS, **ssm_sessions.ACTIONS})
        registry.reports({**ssm_automation.REPORTS, **ssm_commands.REPORTS, **ssm_sessions.REPORTS})
        registry.reports(scheduler.REPORTS)
        registry.questions({"automation.work": _work})


def _work(asked: Mapping[str, Any]) -> Mapping[str, Any]:
    """All that the controller has to do in a region."""
    del asked
    return {
        "executions": ssm_automation.work(),
        "invocations": ssm_commands.work(),
        "schedules": scheduler.work(),
        "sessions": ssm_sessions.place(),
    }
