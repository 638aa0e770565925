"""`bicoastal env`: the variables that point any AWS tool at the twin."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from bicoastal.cli.build_cache import HERE
from bicoastal.cli.home import chosen, home_option, running_twin
from bicoastal.twin.cloud.administrator import administrator

_FOREIGN = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN")
"""They would win over, or mix with, what is set."""


@click.command("env")
@home_option
def command(folder: Path | None) -> None:
    """Print the variables of the running twin: eval "$(bicoastal env)".

    From then on the AWS CLI, boto3, Terraform or Bicoastal itself in that shell speak to the twin and not to AWS.
    """
    home = chosen(folder)
    twin = running_twin(home)
    endpoint = administrator(home.cloud)
    region = next(iter(twin.pages), "us-east-1")
    for name in _FOREIGN:
        click.echo(f"unset {name}")
    values = {**endpoint.environment, "AWS_DEFAULT_REGION": region, "AWS_REGION": region}
    # `plan` and `deploy` bundle the application for where it will run: on this machine.
    values |= {"BICOASTAL_DATABASE_CA": twin.certificate, **HERE}
    # And `status`, `logs` and `down` mean the twin that the others speak to.
    values["BICOASTAL_HOME"] = str(home.root)
    for name, value in values.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    # Version 1 of the AWS CLI forgets AWS_ENDPOINT_URL for RDS in us-east-1 and some others, and would ask AWS.
    click.echo('aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }')
