"""One stand-in for AWS for all tests of this folder; each test has stacks of its own name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from bicoastal.aws.session import Session
from bicoastal.stacks.changes import Desired
from tests.support.ministack import Ministack, ministack


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ministack]:
    with ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running


@pytest.fixture
def session(cloud: Ministack) -> Session:
    return cloud.session()


@pytest.fixture
def name() -> str:
    return f"stack-{uuid.uuid4().hex[:8]}"


def desired(name: str, resources: dict[str, Any], **changes: Any) -> Desired:
    """A stack of these resources in us-east-1."""
    template = {"AWSTemplateFormatVersion": "2010-09-09", **changes.pop("template", {}), "Resources": resources}
    fields: dict[str, Any] = {
        "name": name,
        "region": "us-east-1",
        "template_body": json.dumps(template),
        "parameters": {},
        "tags": {"application": "orders"},
        **changes,
    }
    return Desired(**fields)
