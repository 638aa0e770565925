"""The stack graph survives its file, and says what needs what."""

from __future__ import annotations

import pytest

from bicoastal.cfn.manifest import Chosen, FromOutput, Literal, Live, Manifest, StackEntry, Watch

DATABASE = StackEntry(
    id="database/us-west-2",
    name="orders-production-database",
    template="templates/database.yaml",
    region="us-west-2",
    parameters={
        "DatabaseRole": Live(Literal("replica")),
        "SourceDatabaseArn": Live(FromOutput("database/us-east-1", "DatabaseArn")),
        "DataKeyArn": FromOutput("foundation/us-west-2", "DataKeyArn"),
        "LogsKeyArn": FromOutput("foundation/us-west-2", "LogsKeyArn"),
        "StorageGib": Literal("50"),
        "AvailabilityZones": Chosen("zones-offering:t3.micro", "us-west-2a,us-west-2b"),
    },
    protected=True,
)
SERVICE = StackEntry(
    id="service/us-west-2",
    name="orders-production-service",
    template="templates/service.yaml",
    region="us-west-2",
    watch=Watch("VersionFails", ("LaunchTemplate", "Fleet"), 15),
)
MANIFEST = Manifest(
    "orders", "production", {"us-east-1": "home", "us-west-2": "standby"}, {"a": "b"}, (DATABASE, SERVICE)
)


def test_what_is_written_is_what_is_read() -> None:
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_a_stack_needs_those_whose_outputs_it_takes_also_for_its_live_parameters() -> None:
    assert DATABASE.needs == ("database/us-east-1", "foundation/us-west-2")


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"version": 2}', '{"version": 1, "stacks": 3}'])
def test_another_file_is_not_taken_for_a_manifest(text: str) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        Manifest.from_json(text)


def test_a_live_parameter_cannot_start_from_another_live_one() -> None:
    text = MANIFEST.to_json().replace('"value": "replica"', '"live": {"value": "replica"}')
    with pytest.raises(TypeError, match="starts from a value or an output"):
        Manifest.from_json(text)
