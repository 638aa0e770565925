"""What the bootstrap instance does: the kit's `bootstrap` verb, then it tells how that went.

Its user data has the fleet's form and the fleet's first unit (unpack the kit); it runs no
server, no daemon and no agent. The one script is short, and stands here rather than in the kit, because it must tell
the outcome even where the kit could not be fetched.
"""

from __future__ import annotations

import json
from typing import Any, Final

from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.secrets import Secrets, local_arn
from bicoastal.blueprint.service.agent import LOG_FOLDER
from bicoastal.blueprint.service.kit_configuration import DatabaseAddress, kit_configuration
from bicoastal.blueprint.service.service import NO_ARTIFACT
from bicoastal.blueprint.service.units import HARDENING, KIT_CONFIGURATION, ROOT, UNIT_FOLDER, Unit, units
from bicoastal.blueprint.service.user_data import USER_DATA_BYTES, Filling, literal
from bicoastal.blueprint.stack import Output, Stack
from bicoastal.cfn.emit import to_yaml
from bicoastal.cfn.intrinsics import Value, base64, sub
from bicoastal.core.errors import Refused

VERB_DEADLINE_S: Final = 2880
"""Seconds for the kit's `bootstrap`: it waits up to 900 for another run, and up to 1800 for the release command."""
LIFE_MINUTES: Final = 75
"""The instance powers off by itself after this, and to power off is to be terminated."""
_LONGEST_VALUE: Final = 128
"""Bytes that a value filled in by CloudFormation may have, such as a secret's ARN."""
_SCRIPT: Final = f"{ROOT}/bin/bootstrap"
_LOG: Final = f"{LOG_FOLDER}/bootstrap.log"


def bootstrap_user_data(stack: Stack, foundation: Foundation, secrets: Secrets, *, host: Output, port: Output) -> Value:
    """The launch template's user data. Raises Refused where the fleet's would: both hold the spec's own values."""
    spec = stack.spec
    filling = Filling()
    bucket = filling.of("Bucket", stack.input(foundation.artifact_bucket))
    others = {spec.home: spec.standby, spec.standby: spec.home}
    other_region = filling.of("OtherRegion", stack.setting("OtherRegion", others, "The other region."))
    application = _version(stack, filling, "Application", "artifact:application")
    kit_version = _version(stack, filling, "Kit", "artifact:kit")
    configuration = kit_configuration(
        spec,
        bucket=bucket,
        other_region=other_region,
        application_version=application,
        database=DatabaseAddress(
            filling.of("DatabaseHost", stack.input(host)), filling.of("DatabasePort", stack.input(port))
        ),
        other_database=None,
        database_secrets={
            role: filling.of(f"{role.capitalize()}Secret", local_arn(stack, secret))
            for role, secret in (
                ("master", secrets.master_secret_arn),
                ("owner", secrets.owner_secret_arn),
                ("app", secrets.app_secret_arn),
                ("kit", secrets.kit_secret_arn),
            )
        },
        application_secrets={
            variable: filling.of(f"Secret{number}", local_arn(stack, secret))
            for number, (variable, secret) in enumerate(secrets.application.items(), start=1)
        },
        signal_resource="",
    )
    configuration.pop("signal")
    if spec.app.release_command:
        configuration["application"]["release_command"] = literal(spec.app.release_command)
    text = cloud_config(stack, configuration, bucket=bucket, kit_version=kit_version)
    size = len(text.encode()) + text.count("${") * _LONGEST_VALUE
    if size > USER_DATA_BYTES:
        raise Refused(
            f"The bootstrap instance's user data could reach {size} bytes; EC2 takes {USER_DATA_BYTES}. "
            "app.environment, app.secrets, app.packages and app.release_command are in it: move the longest values "
            "into a file of the application."
        )
    return base64(sub(text, filling.variables))


def cloud_config(stack: Stack, configuration: dict[str, Any], *, bucket: str, kit_version: str) -> str:
    """The text with CloudFormation's placeholders in it."""
    first = [
        unit
        for unit in units(region="${AWS::Region}", bucket=bucket, kit_version=kit_version, command="")
        if unit.name == "install"
    ]
    services = (*first, _unit())
    document = {
        "packages": list(dict.fromkeys(("python3.11", *stack.spec.app.packages))),
        "write_files": [
            _file(KIT_CONFIGURATION, json.dumps(configuration, indent=1) + "\n", "0600"),
            _file(f"{LOG_FOLDER}/kit.log", ""),
            _file(_SCRIPT, script(bucket), "0755"),
            _file(f"{UNIT_FOLDER}/bicoastal-.service.d/hardening.conf", HARDENING),
            *(_file(f"{UNIT_FOLDER}/{unit.service}", unit.text) for unit in services),
        ],
        "runcmd": [["systemctl", "enable", "--now", "--no-block", *(unit.service for unit in services)]],
        "power_state": {"mode": "poweroff", "delay": f"+{LIFE_MINUTES}", "message": "The bootstrap's time is over"},
    }
    return "#cloud-config\n" + to_yaml(document)


def script(bucket: str) -> str:
    """Run the verb once kit and application are there; then write the verdict and the log's end to the bucket."""
    return f"""\
#!/bin/sh
# Prepare the database, run the release command, tell the outcome: a first line with the verdict, then the log's end.
kit="python3.11 -m bicoastal.kit"
prepare() {{
  tries=0
  until [ -e {ROOT}/kit/.complete ] && $kit fetch --config {KIT_CONFIGURATION}; do
    tries=$((tries + 1))
    [ $tries -lt 60 ] || return 3
    sleep 5
  done
  timeout {VERB_DEADLINE_S} $kit bootstrap --config {KIT_CONFIGURATION}
}}
prepare >>{_LOG} 2>&1
code=$?
verdict=succeeded
[ $code -eq 0 ] || verdict="failed with exit code $code"
id=$(python3.11 -c '{_WHO_AM_I}' "${{!AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}}/latest")
{{ echo "$verdict"; tail -c 6000 {_LOG}; }} >{ROOT}/outcome
tries=0
until timeout 60 aws s3 cp --only-show-errors {ROOT}/outcome "s3://{bucket}/bootstrap/$id/outcome"; do
  tries=$((tries + 1))
  [ $tries -lt 20 ] || exit 3
  sleep 5
done
exit $code
"""


_WHO_AM_I: Final = """\
import sys
from urllib.request import Request, urlopen
def ask(method, path, header, value):
    request = Request(sys.argv[1] + path, None, {header: value}, method=method)
    return urlopen(request, timeout=20).read().decode()
token = ask("PUT", "/api/token", "X-aws-ec2-metadata-token-ttl-seconds", "300")
print(ask("GET", "/meta-data/instance-id", "X-aws-ec2-metadata-token", token))"""
"""Without the kit, which may be what failed; the image has no program of its own for it but this one and curl."""


def _unit() -> Unit:
    return Unit(
        "bootstrap",
        f"""\
[Unit]
Description=Bicoastal: prepare the database, run the release command
Wants=bicoastal-install.service
After=bicoastal-install.service
[Service]
Type=oneshot
RemainAfterExit=yes
Environment=PYTHONPATH={ROOT}/kit PYTHONUNBUFFERED=1 AWS_DEFAULT_REGION=${{AWS::Region}}
ReadWritePaths={ROOT}
ExecStart=/bin/sh {_SCRIPT}
TimeoutStartSec={VERB_DEADLINE_S + 600}
[Install]
WantedBy=multi-user.target
""",
    )


def _version(stack: Stack, filling: Filling, name: str, chooser: str) -> str:
    description = f"{name} bundle to release: the first 16 digits of its SHA-256."
    chosen = stack.chosen(f"{name}Version", chooser, NO_ARTIFACT, description, AllowedPattern="^[0-9a-f]{16}$")
    return filling.of(f"{name}Version", chosen)


def _file(path: str, content: str, mode: str = "0644") -> Value:
    return {"path": path, "content": content, "permissions": mode}
