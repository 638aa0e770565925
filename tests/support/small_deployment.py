"""A deployment small enough to be read whole: two regions, a bucket, a wire across, a role that operations change."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from bicoastal.cfn.manifest import FromOutput, Literal, Live, Manifest, Source, StackEntry
from bicoastal.deploy.package import Artifact, Package

HOME, STANDBY = "us-east-1", "us-west-2"
Resources = dict[str, Any]


def waits(seconds: int, **more: Any) -> dict[str, Any]:
    """A resource that is created when it is signaled, and fails after `seconds` without."""
    policy = {"ResourceSignal": {"Count": 1, "Timeout": f"PT{seconds}S"}}
    return {"Type": "AWS::CloudFormation::WaitCondition", "CreationPolicy": policy, **more}


def topic(name: str, **more: Any) -> dict[str, Any]:
    """Something that is made at once; another name makes it anew."""
    return {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": name}, **more}


def template(resources: Resources, outputs: Mapping[str, Any] | None = None, parameters: tuple[str, ...] = ()) -> str:
    """One template's text, a line for each resource."""
    sections: dict[str, Any] = {"AWSTemplateFormatVersion": "2010-09-09"}
    if parameters:
        sections["Parameters"] = {name: {"Type": "String"} for name in parameters}
    sections["Resources"] = resources
    if outputs:
        sections["Outputs"] = {name: {"Value": value} for name, value in outputs.items()}
    return json.dumps(sections, indent=1)


class SmallDeployment:
    """Templates by kind, to be edited by a test; `package` is what they are at that moment.

    foundation (both) -> network (both) -> database (home) -> database (standby), and `aside` (standby), on its own.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name or f"t{uuid.uuid4().hex[:8]}"
        bucket = {"Fn::Sub": f"{self.name}-test-artifacts-${{AWS::Region}}"}
        self.foundation: Resources = {
            "Artifacts": {
                "Type": "AWS::S3::Bucket",
                "DeletionPolicy": "Retain",
                "Properties": {"BucketName": bucket},
            }
        }
        self.network: Resources = {"Net": topic(f"{self.name}-net")}
        self.database: Resources = {
            "Data": topic(f"{self.name}-data"),
            "Follows": {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": {"Ref": "Net"}}},
        }
        self.aside: Resources = {"Aside": topic(f"{self.name}-aside")}
        self.artifacts: dict[str, Artifact] = {}
        self.tags: dict[str, str] = {"application": self.name, "environment": "test", "managed-by": "bicoastal"}

    @property
    def package(self) -> Package:
        return Package(
            self.manifest,
            {
                "foundation.yaml": template(self.foundation, {"ArtifactBucket": {"Ref": "Artifacts"}}),
                "network.yaml": template(self.network, {"Net": {"Ref": "Net"}}, ("Bucket",)),
                "database.yaml": template(
                    self.database, {"Arn": {"Ref": "Data"}, "Role": {"Ref": "Role"}}, ("Net", "Role", "Source")
                ),
                "aside.yaml": template(self.aside),
            },
            dict(self.artifacts),
        )

    @property
    def manifest(self) -> Manifest:
        entries = []
        for region in (HOME, STANDBY):
            entries.append(self._entry("foundation", region, {}, protected=True))
        for region in (HOME, STANDBY):
            entries.append(
                self._entry("network", region, {"Bucket": FromOutput(f"foundation/{region}", "ArtifactBucket")})
            )
        for region, role in ((HOME, "primary"), (STANDBY, "replica")):
            source: Source = Live(Literal("")) if region == HOME else Live(FromOutput(f"database/{HOME}", "Arn"))
            parameters: dict[str, Source] = {
                "Net": FromOutput(f"network/{region}", "Net"),
                "Role": Live(Literal(role)),
                "Source": source,
            }
            entries.append(self._entry("database", region, parameters, protected=True))
        entries.append(self._entry("aside", STANDBY, {}))
        return Manifest(self.name, "test", {HOME: "home", STANDBY: "standby"}, dict(self.tags), tuple(entries))

    def _entry(self, kind: str, region: str, parameters: dict[str, Source], *, protected: bool = False) -> StackEntry:
        return StackEntry(
            f"{kind}/{region}", f"{self.name}-test-{kind}", f"{kind}.yaml", region, parameters, (), protected
        )
