"""The person at the keyboard: types Bicoastal's own commands, with credentials of his own, and believes what they say.

Each command is a process, as it is in an incident. What it did is read from the journal that it leaves behind; what it
asked of AWS is counted by the gateway under these credentials, which nobody else has.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.core.errors import SystemFault
from bicoastal.drill.stage import Stage

COMMAND_S = 600.0
REFUSED = 1
_AGAIN_S = 0.3
_LOOK_S = 0.02
_NAME = "drill-operator"
_DEPLOYS = ("deploy", "plan", "destroy")
TAGGING = "failover-tags"
RIGHTS = ("operator", "rejoin", "restorer", TAGGING)
"""Of the deployment's own policies in each region, what an operator has; the last one where the spec has such tags."""


@dataclass(frozen=True)
class Step:
    """One step of an operation, from its journal. Times are seconds since the epoch."""

    name: str
    began: float
    ended: float | None
    """None while it goes on, or where the operation ended within it."""


@dataclass
class Command:
    """One command as it was typed."""

    words: tuple[str, ...]
    began: float
    ended: float = 0.0
    code: int | None = None
    said: str = ""
    steps: list[Step] = field(default_factory=list)

    @property
    def text(self) -> str:
        """As it was typed."""
        return " ".join(("bicoastal", *self.words))

    def step(self, name: str) -> Step | None:
        """The step of a name."""
        return next((step for step in self.steps if step.name == name), None)


class Operator:
    """One for a drill. He operates with the rights that the deployment's policies give, and deploys with all."""

    def __init__(self, stage: Stage, region: str, credentials: Mapping[str, str] | None = None) -> None:
        """Signs in by a region: that of the survivor, whose endpoints work (design D18). Raises SystemFault.

        `credentials`, as AWS's tools read them, are somebody else's than the operator's own.
        """
        self._stage = stage
        self._region = region
        name = f"{_NAME}-{secrets.token_hex(4)}"
        self._state = stage.folder / name
        self._credentials = {**surroundings(stage, region), **(credentials or _user(stage, name))}
        self._deployer: Mapping[str, str] = {} if credentials else _user(stage, f"{name}-deploys", everything=True)
        self.commands: list[Command] = []

    @property
    def access_key_ids(self) -> tuple[str, ...]:
        """The gateway knows him by them."""
        return tuple(keys["AWS_ACCESS_KEY_ID"] for keys in (self._credentials, self._deployer) if keys)

    def signs_in_by(self, region: str) -> None:
        """From now on, with the same credentials: another region is the survivor."""
        self._credentials = {**self._credentials, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}

    def types(self, *words: str, during: Callable[[Command], None] | None = None, spec: Path | None = None) -> Command:
        """Run a command to its end. `during` is called again and again meanwhile, with what the journal says so far.

        `spec` is another one than the stage's. Raises SystemFault where it does not end.
        """
        command = Command(words, time.time())
        self.commands.append(command)
        log = self._state / f"{len(self.commands)}-{words[0]}.log"
        self._state.mkdir(parents=True, exist_ok=True)
        known = set(self._journals())
        end = time.monotonic() + COMMAND_S
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "bicoastal.cli", *words, "--spec", str(spec or self._stage.script.spec)],
                env={**self._environment(), **(self._deployer if words[0] in _DEPLOYS else {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            while process.poll() is None and time.monotonic() < end:
                if during is not None:
                    command.steps = self._steps(known)
                    during(command)
                time.sleep(_LOOK_S)
        finally:
            # Whatever ends the drill ends what it has typed.
            if process.poll() is None:
                process.kill()
                process.wait()
        command.ended = time.time()
        command.code = process.returncode
        command.said = log.read_text(errors="replace").strip()
        command.steps = self._steps(known)
        if process.returncode is not None and process.returncode < 0:
            raise SystemFault(f"`{command.text}` did not end within {COMMAND_S:.0f} s:\n{command.said}")
        return command

    def insists(self, *words: str, within_s: float, during: Callable[[Command], None] | None = None) -> Command:
        """Type it again for as long as it is refused: what a guard refuses now it may allow in a second.

        Raises SystemFault with what was said where it fails, or is still refused when the time is over.
        """
        end = time.monotonic() + within_s
        while True:
            command = self.types(*words, during=during)
            if command.code == 0:
                return command
            if command.code != REFUSED or time.monotonic() > end:
                raise SystemFault(f"`{command.text}` ended with {command.code}:\n{command.said}")
            time.sleep(_AGAIN_S)

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **inherited,
            **self._credentials,
            "XDG_STATE_HOME": str(self._state),
            "BICOASTAL_HOME": str(self._stage.folder / "home"),
            "BICOASTAL_DATABASE_CA": str(self._stage.twin.ground.authority.certificate),
            **self._stage.script.bundled_for,
        }

    def _journals(self) -> Sequence[Path]:
        return sorted(self._state.glob("bicoastal/*/journal/*.jsonl"))

    def _steps(self, known: set[Path]) -> list[Step]:
        return steps_of(
            line for path in self._journals() if path not in known for line in path.read_text().splitlines()
        )


def steps_of(lines: Any) -> list[Step]:
    """A journal's lines as steps, in their order; lines that are not whole are left out."""
    found: dict[str, Step] = {}
    for line in lines:
        try:
            data: Mapping[str, Any] = json.loads(line)
            at, what, name = datetime.fromisoformat(data["at"]).timestamp(), data["what"], str(data["step"])
        except (ValueError, KeyError, TypeError):
            continue
        if what == "begins":
            found[name] = Step(name, at, None)
        elif what == "done" and name in found:
            found[name] = Step(name, found[name].began, at)
    return list(found.values())


def surroundings(stage: Stage, region: str) -> dict[str, str]:
    """Where AWS is asked, from which region's endpoints."""
    return {
        "AWS_ENDPOINT_URL": stage.twin.endpoint.url,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _user(stage: Stage, name: str, *, everything: bool = False) -> Mapping[str, str]:
    """Credentials of an IAM user, made while IAM's control plane is there: nobody makes any in an incident."""
    client = stage.session.client("iam", "us-east-1")
    with aws_faults("making the operator's credentials"):
        client.create_user(UserName=name)
        if everything:
            document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
            client.put_user_policy(UserName=name, PolicyName="everything", PolicyDocument=json.dumps(document))
        else:
            for arn in _rights(client, stage):
                client.attach_user_policy(UserName=name, PolicyArn=arn)
        key = client.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def _rights(client: Any, stage: Stage) -> Sequence[str]:
    """ARNs of the policies. Raises SystemFault where the deployment lacks one that every spec has."""
    script = stage.script
    regions = (script.home, script.standby)
    wanted = {f"{script.name}-{right}-{region}" for right in RIGHTS for region in regions}
    pages = client.get_paginator("list_policies").paginate(Scope="Local")
    found = {policy["PolicyName"]: policy["Arn"] for page in pages for policy in page["Policies"]}
    lacking = {name for name in wanted - set(found) if f"-{TAGGING}-" not in name}
    if lacking:
        raise SystemFault(f"the deployment has no policies for operators: {', '.join(sorted(lacking))}")
    return [found[name] for name in sorted(wanted & set(found))]
