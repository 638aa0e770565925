"""Somebody with the runbook, a POSIX shell and the AWS CLI, and without Bicoastal: what he pastes, with what rights."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.support.running import EAST, WEST, Running
from tools.runbook import PAGE, lines_of

_PLUGIN = f"""\
#!{sys.executable}
import json, os, sys
from bicoastal.twin.automation.channel import Client

if sys.argv[1] == "--version":
    print("1.2.764.0")
else:
    said = json.loads(os.environ.get(sys.argv[1], sys.argv[1]))
    with Client(said["StreamUrl"], said["TokenValue"]) as session:
        for line in sys.stdin:
            print(session.run(line.strip())[1])
"""
"""Session Manager's own is in no package index: this one speaks its protocol, and types what it reads."""


@dataclass(frozen=True)
class ByHand:
    """One person at one deployment, whose files stay where he is from one section of the page to the next."""

    twin: Running
    folder: Path
    variables: Mapping[str, str]
    """Of the page's top, and those that the AWS CLI reads."""

    @classmethod
    def at(cls, twin: Running, folder: Path, application: str, **variables: str) -> ByHand:
        """As the administrator, at a twin of the fast pace: a tenth of what is waited for on AWS.

        In the folder is what he calls `aws`.
        """
        plugin = folder / "session-manager-plugin"
        plugin.write_text(_PLUGIN)
        plugin.chmod(0o755)
        pace = {"DRAIN_S": "1", "FENCE_S": "3", "SETTLE_S": "6", "POLL_S": "1"}
        return cls(twin, folder, {**twin.environment, "APPLICATION": application, **pace, **variables})

    def with_rights(self, name: str, rights: Sequence[str], *regions: str) -> ByHand:
        """A new user, who has these policies of the deployment in these regions, and nothing else."""
        iam = self.twin.client("iam")
        prefix = f"{self.variables['APPLICATION']}-production"
        wanted = {f"{prefix}-{right}-{region}" for right in rights for region in regions}
        pages = iam.get_paginator("list_policies").paginate(Scope="Local")
        found = [item["Arn"] for page in pages for item in page["Policies"] if item["PolicyName"] in wanted]
        assert len(found) == len(wanted), f"{found} are not {wanted}"
        iam.create_user(UserName=name)
        for arn in found:
            iam.attach_user_policy(UserName=name, PolicyArn=arn)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.signed_in(
            {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        )

    def signed_in(self, credentials: Mapping[str, str]) -> ByHand:
        """The same with somebody's credentials."""
        return replace(self, variables={**self.variables, **credentials})

    def pastes(self, section: str, region: str, *, blocks: slice = slice(None), typed: str = "", **more: str) -> str:
        """The page's top and a section of it, or some blocks, with this region as REGION; returns what was shown."""
        top, *found = lines_of(PAGE.read_text(), section)
        lines = "\n".join([top, *found[blocks]])
        other = WEST if region == EAST else EAST
        done = subprocess.run(
            ["sh", "-eux", "-c", lines],
            env={
                **os.environ,
                "PATH": f"{self.folder}:{os.environ['PATH']}",
                **self.variables,
                "REGION": region,
                "OTHER": other,
                **more,
            },
            cwd=self.folder,
            input=typed,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{section} in {region}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def kept(self, file: str) -> str:
        """What is in a file that the lines have written."""
        return (self.folder / file).read_text()
