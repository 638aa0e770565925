"""What an instance does at its first boot, as cloud-config: files, packages, and units to start. No script.

EC2 takes 16 KB: code comes from the artifact bucket, by version. The text is filled in by CloudFormation (Fn::Sub),
so every `${` that is not ours to fill, in the team's own values too, is written `${!`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from bicoastal.blueprint.access.responder import RESPONDER_USER
from bicoastal.blueprint.service.agent import LOG_FOLDER, agent_configuration
from bicoastal.blueprint.service.units import (
    APPLICATION_USER,
    HARDENING,
    KIT_CONFIGURATION,
    KIT_USER,
    ROOT,
    UNIT_FOLDER,
    Unit,
    units,
)
from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.emit import to_yaml
from bicoastal.cfn.intrinsics import Value, base64, sub
from bicoastal.core.errors import Refused

USER_DATA_BYTES: Final = 16384
"""EC2's limit, before base64."""
_LONGEST_VALUE: Final = 160
"""Bytes that a value filled in by CloudFormation may have: the longest is a database's host name or a secret's ARN."""
AGENT_CONFIGURATION: Final = f"{ROOT}/etc/cloudwatch-agent.json"
PACKAGES: Final = ("python3.11", "amazon-cloudwatch-agent", "rsyslog", "logrotate")
_ROTATION: Final = f"""\
{LOG_FOLDER}/*.log {{
  size 20M
  rotate 2
  copytruncate
  missingok
  notifempty
}}
"""
_HOURLY: Final = """\
[Timer]
OnCalendar=
OnCalendar=hourly
"""


def literal(text: str) -> str:
    """The text as Fn::Sub leaves it alone."""
    return text.replace("${", "${!")


@dataclass
class Filling:
    """Placeholders of the text, and what CloudFormation puts in their place."""

    variables: dict[str, Value] = field(default_factory=dict)

    def of(self, name: str, value: Value) -> str:
        """A placeholder for the value: by the parameter's own name if it is one, else by `name`."""
        if isinstance(value, Mapping) and set(value) == {"Ref"}:
            return f"${{{value['Ref']}}}"
        self.variables[name] = value
        return f"${{{name}}}"


def user_data(stack: Stack, filling: Filling, kit: Mapping[str, Any], *, bucket: str, kit_version: str) -> Value:
    """The launch template's user data.

    `kit` is the kit's configuration, `bucket` and `kit_version` are placeholders of `filling`. Raises Refused when
    the spec's own values make it longer than EC2 takes.
    """
    text = cloud_config(stack, kit, bucket=bucket, kit_version=kit_version)
    size = len(text.encode()) + text.count("${") * _LONGEST_VALUE
    if size > USER_DATA_BYTES:
        raise Refused(
            f"The instances' user data could reach {size} bytes; EC2 takes {USER_DATA_BYTES}. app.command, "
            "app.packages, app.environment and app.secrets are in it: move the longest values into a file of the "
            "application."
        )
    return base64(sub(text, filling.variables))


def cloud_config(stack: Stack, kit: Mapping[str, Any], *, bucket: str, kit_version: str) -> str:
    """The text with CloudFormation's placeholders in it."""
    app = stack.spec.app
    services = units(region="${AWS::Region}", bucket=bucket, kit_version=kit_version, command=literal(app.command))
    agent = literal(_json(agent_configuration(stack.spec)))
    document = {
        "users": [_system_user(APPLICATION_USER), _system_user(KIT_USER), _responder()],
        "packages": list(dict.fromkeys((*PACKAGES, *app.packages))),
        "write_files": [
            _file(KIT_CONFIGURATION, _json(kit)),
            _file(AGENT_CONFIGURATION, agent),
            *(_file(f"{LOG_FOLDER}/{name}.log", "") for name in ("application", "kit")),
            _file(f"{UNIT_FOLDER}/bicoastal-.service.d/hardening.conf", HARDENING),
            *(_file(f"{UNIT_FOLDER}/{unit.service}", unit.text) for unit in services),
            _file("/etc/logrotate.d/bicoastal", _ROTATION),
            _file(f"{UNIT_FOLDER}/logrotate.timer.d/hourly.conf", _HOURLY),
        ],
        "runcmd": _commands(services),
    }
    return "#cloud-config\n" + to_yaml(document)


def _commands(services: tuple[Unit, ...]) -> list[Value]:
    """Enable what was written. The agent is enabled by its own program, which reads the configuration."""
    agent = "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
    return [
        ["systemctl", "enable", "--now", "rsyslog.service"],
        ["systemctl", "enable", "--now", "--no-block", *(unit.service for unit in services)],
        ["systemctl", "restart", "logrotate.timer"],
        [agent, "-a", "fetch-config", "-m", "ec2", "-s", "-c", f"file:{AGENT_CONFIGURATION}"],
    ]


def _system_user(name: str) -> Value:
    return {"name": name, "system": True, "no_create_home": True, "shell": "/sbin/nologin"}


def _responder() -> Value:
    """Whom emergency sessions run as: no password and no key, so that Session Manager is the only way in."""
    return {"name": RESPONDER_USER, "shell": "/bin/bash", "lock_passwd": True, "sudo": "ALL=(ALL) NOPASSWD:ALL"}


def _file(path: str, content: str) -> Value:
    return {"path": path, "content": content}


def _json(data: Mapping[str, Any]) -> str:
    """Plain ASCII, because CloudFormation does not keep other letters everywhere."""
    return json.dumps(data, indent=1) + "\n"
