"""The calls to AWS: short runs of the operating system's `aws` command, each with a deadline.

No AWS library is loaded into the daemon: it needs a secret at its start and when a password changed, and nothing else.
The command's own settings (endpoint, credentials, profile) are respected, since they are the caller's environment.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bicoastal.kit.errors import ConfigurationError, UnavailableError

DEADLINE_S = 20.0
"""A whole call, the command's own retries included; below the daemon's watchdog, which is not fed meanwhile."""
DOWNLOAD_DEADLINE_S = 300.0


_NOT_AWAITED = "cannot be signaled"
"""CloudFormation's words for a stack whose operation has ended."""


@dataclass(frozen=True)
class Credential:
    """A role of the database and its password."""

    username: str
    password: str

    def __repr__(self) -> str:
        return f"Credential({self.username!r}, password hidden)"


class AwsCli:
    """One region's API. `program` is what is run, found on the PATH."""

    def __init__(self, region: str, program: Sequence[str] = ("aws",)) -> None:
        self.region = region
        self._program = tuple(program)

    def secret(self, arn: str) -> str:
        """The SecretString of a secret."""
        answer = self._run("secretsmanager", "get-secret-value", "--secret-id", arn)
        try:
            return str(json.loads(answer)["SecretString"])
        except (ValueError, KeyError, TypeError) as error:
            raise UnavailableError(f"secret {arn} has no text value; fill it in, in this region.") from error

    def credential(self, arn: str, *, name: str | None = None) -> Credential:
        """A database secret, `{"username", "password"}`; `name` is the user name that it must hold."""
        try:
            data = json.loads(self.secret(arn))
            credential = Credential(str(data["username"]), str(data["password"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(f'secret {arn} is not {{"username": ..., "password": ...}}.') from error
        if name is not None and credential.username != name:
            raise ConfigurationError(f"secret {arn} is for the user {credential.username!r}; it must be for {name!r}.")
        return credential

    def download(self, bucket: str, key: str, target: Path) -> None:
        """Fetch one object into a file."""
        self._run("s3", "cp", "--only-show-errors", f"s3://{bucket}/{key}", str(target), deadline_s=DOWNLOAD_DEADLINE_S)

    def signal(self, stack: str, resource: str, instance: str, *, success: bool) -> None:
        """Tell CloudFormation how this instance's start ended.

        An instance that joins by scaling is awaited by nobody: a stack on which nothing runs takes no signal, and that
        is no fault.
        """
        try:
            self._run(
                *("cloudformation", "signal-resource", "--stack-name", stack, "--logical-resource-id", resource),
                *("--unique-id", instance, "--status", "SUCCESS" if success else "FAILURE"),
            )
        except UnavailableError as error:
            if _NOT_AWAITED not in str(error):
                raise

    def _run(self, *arguments: str, deadline_s: float = DEADLINE_S) -> str:
        command = [*self._program, *arguments, "--region", self.region, "--output", "json"]
        said = f"aws {' '.join(arguments[:2])}"
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=deadline_s, check=False, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(f"{said}: no answer within {deadline_s:g} s in {self.region}.") from error
        except OSError as error:
            raise ConfigurationError(
                f"{self._program[0]}: cannot be run: {error.strerror}. Install the AWS CLI."
            ) from error
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise UnavailableError(f"{said}: {lines[-1] if lines else f'exit code {done.returncode}'}")
        return done.stdout
