"""Small templates by hand, for the reviewer's models: a deployment of one or more in a region."""

from __future__ import annotations

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.reader import parse_template


def deployment_of(*resources: str, region: str = "us-east-1") -> Deployment:
    """One template of a section Resources, given as YAML."""
    text = "Resources:\n" + "\n".join(resources)
    return Deployment.of_files([(parse_template(text, "t.yaml"), region)])


def resource(deployment: Deployment, logical_id: str) -> Resource:
    """A resource by its logical id."""
    return next(item for item in deployment.resources if item.logical_id == logical_id)
