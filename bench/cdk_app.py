"""The peer in `bench/synth.py`: the same resources, synthesized by the AWS CDK for Python in its own environment."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import aws_cdk as cdk


def main(resources: str, output: str) -> None:
    """Build every stack of the file from generic L1 constructs and synthesize the assembly."""
    app = cdk.App(outdir=output)
    for name, body in json.loads(Path(resources).read_text()).items():
        region = "-".join(name.split("-")[-3:])
        stack = cdk.Stack(app, name, env=cdk.Environment(account="111122223333", region=region))
        for logical_id, resource in body.items():
            cdk.CfnResource(stack, logical_id, type=resource["Type"], properties=_plain(resource.get("Properties", {})))
    app.synth()


def _plain(value: object) -> object:
    """References become text: the parameters they point at are not rebuilt, which only makes the CDK's work less."""
    if isinstance(value, dict):
        if len(value) == 1:
            key = next(iter(value))
            if key == "Ref" or key.startswith("Fn::"):
                return json.dumps(value)
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


main(sys.argv[1], sys.argv[2])
