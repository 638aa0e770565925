"""Every resource counts: without it and all that mentions it, some row is no longer delivered.

A resource that is not missed is not needed, or nobody watches over it. The few exceptions have their reasons here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from bicoastal.cfn.deployment import Change
from bicoastal.review.asked import ROWS, Row
from bicoastal.review.case import Case
from bicoastal.review.verdict import Verdict
from bicoastal.spec.model import Spec
from tests.support.reviewed import Sample, sample
from tests.support.specs import spec, valid_specs

ALIAS = "an alias helps people to find a key in the console; nothing refers to the key by it"
COVERED = "the entry for answers (1024-65535) holds PostgreSQL's port too; this one says who asks, for its reader"
NOT_MISSED = {
    ("foundation", "DataKeyAlias"): ALIAS,
    ("foundation", "LogsKeyAlias"): ALIAS,
    ("vault", "BackupKeyAlias"): ALIAS,
    ("access", "KitDivergedDocument"): "rejoin lists by it what only the lost side had; without it everything moves",
    ("access", "KitCensusDocument"): "`backup restore` counts rows by it; without it a restore is verified by less",
    ("service", "VersionFails"): "it takes a release back by itself and tells nobody; no row asks for that",
    ("monitoring", "ServerErrors"): "VersionFails counts the same errors; this one is for people",
    ("network", "DataAsksDataEntry"): COVERED,
    ("network", "DataIsAskedByDataEntry"): COVERED,
}
KINDS = sorted(name.removeprefix("templates/").removesuffix(".yaml") for name in sample().templates)


def unmissed(whole: Sample, resources: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those without which every row is still delivered."""
    found, noticed = [], ""
    for pair in resources:
        by = whole.undelivered_by(Change(absent=frozenset({pair})), noticed)
        noticed = by or noticed
        if not by:
            found.append(pair)
    return found


def test_the_sample_delivers_every_row() -> None:
    rows = sample().rows()
    assert list(rows) == [row.id for row in ROWS]
    assert sample().undelivered() == {}


@pytest.mark.parametrize("kind", KINDS)
def test_each_resource_is_missed(kind: str) -> None:
    file = f"templates/{kind}.yaml"
    there = [(file, logical_id) for logical_id in sample().templates[file].section("Resources")]
    not_missed = [logical_id for _, logical_id in unmissed(sample(), there)]
    assert not_missed == [name for stack, name in NOT_MISSED if stack == kind]


MORE = {
    "everything": {
        "alerts": ["a@example.com"],
        "app": {"command": "./run", "secrets": ["SIGNING_KEY"]},
        "database": {"read_replicas": 2},
        "egress": "endpoints-only",
        "logs": {"aggregate": True},
    },
    "failover": {"routing": "failover"},
}
"""Specs whose templates hold what the sample's do not."""


@pytest.mark.parametrize("changes", MORE.values(), ids=MORE)
def test_what_a_spec_adds_is_missed_too(changes: dict[str, Any]) -> None:
    other = Sample.of(spec(**changes))
    assert other.undelivered() == {}
    known = {(file, name) for file, template in sample().templates.items() for name in template.section("Resources")}
    more = [(file, name) for file, template in other.templates.items() for name in template.section("Resources")]
    added = [pair for pair in more if pair not in known]
    assert added
    assert unmissed(other, added) == []


@given(valid_specs())
@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
def test_whatever_is_asked_is_delivered(asked: Spec) -> None:
    assert Sample.of(asked).undelivered() == {}


CITED = [row for row in ROWS if row.id != "M10"]
"""M10 cites one of the many that bear the tags; see test_mutations for what it misses."""


@pytest.mark.parametrize("row", CITED, ids=[row.id for row in CITED])
def test_a_row_is_not_delivered_without_what_it_cites(row: Row) -> None:
    cited = {(item.template, item.resource) for item in sample().rows()[row.id].evidence}
    assert cited
    kept = [
        pair
        for pair in sorted(cited)
        if row.judge(Case(sample().deployment(Change(absent=frozenset({pair}))), sample().demand)).verdict
        is Verdict.DELIVERED
    ]
    assert kept == []
