"""Drift: what was changed past CloudFormation is named with its property; what was not is not."""

from __future__ import annotations

from bicoastal.stacks.drift import detect
from tests.deploy.conftest import Bench


def test_what_was_changed_past_cloudformation_is_named(bench: Bench) -> None:
    assert bench.deploy().exit_code == 0
    stack = bench.stack("database")
    assert stack is not None
    assert detect(bench.session, stack).resources == ()
    client = bench.client("ssm")
    pages = client.get_paginator("describe_parameters").paginate()
    found = [item for page in pages for item in page["Parameters"]]
    name = next(item["Name"] for item in found if "Follows" in item["Name"] and bench.small.name in item["Name"])
    client.put_parameter(Name=name, Value="by hand", Type="String", Overwrite=True)
    (drifted,) = detect(bench.session, stack).resources
    assert (drifted.logical_id, drifted.status) == ("Follows", "MODIFIED")
    assert "by hand" in str(drifted)
