"""The screen of an incident: one for each region, and everything that it names is there."""

from __future__ import annotations

import json
import re

from bicoastal.cfn.intrinsics import strip_comments
from tests.support.monitoring import build_monitoring
from tests.support.specs import spec

RESOURCES = strip_comments(build_monitoring(spec()).document["Resources"])
PROPERTIES = RESOURCES["Dashboard"]["Properties"]
TEXT, NAMES = PROPERTIES["DashboardBody"]["Fn::Sub"]


def test_each_region_has_its_own() -> None:
    assert PROPERTIES["DashboardName"] == {"Fn::Sub": "orders-production-${AWS::Region}"}
    for widget in json.loads(TEXT)["widgets"]:
        assert widget["type"] == "alarm" or widget["properties"]["region"] == "${AWS::Region}"


def test_everything_that_it_names_is_there() -> None:
    placeholders = set(re.findall(r"\$\{([^}]+)\}", TEXT)) - {"AWS::Region"}
    resources = {name.removesuffix(".Arn") for name in placeholders if name.endswith(".Arn")}
    assert resources <= set(RESOURCES)
    assert placeholders - {f"{name}.Arn" for name in resources} == set(NAMES)


def test_it_shows_every_alarm_of_the_region() -> None:
    alarms = [name for name, item in RESOURCES.items() if item["Type"].endswith("Alarm")]
    (widget,) = (item for item in json.loads(TEXT)["widgets"] if item["type"] == "alarm")
    assert set(widget["properties"]["alarms"]) == {f"${{{name}.Arn}}" for name in alarms}


def test_no_widget_covers_another() -> None:
    cells = set()
    for widget in json.loads(TEXT)["widgets"]:
        for x in range(widget["x"], widget["x"] + widget["width"]):
            for y in range(widget["y"], widget["y"] + widget["height"]):
                assert (x, y) not in cells
                assert x < 24
                cells.add((x, y))
