"""The tags of a failover, judged on what was made up."""

from __future__ import annotations

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.drill import looks
from bicoastal.drill.experiments import region_loss
from bicoastal.drill.experiments.region_loss import TAGS, tags_held
from tests.drill.made import evidence, run

OWN = {"cost-center": "4711"}


def test_everything_must_bear_them() -> None:
    assert tags_held(run(notes={"tagged": 3, "bare": []}), evidence())[0]
    assert not tags_held(run(notes={"tagged": 2, "bare": ["arn:1"]}), evidence())[0]


def test_nothing_seen_is_nothing_held() -> None:
    assert not tags_held(run(), evidence())[0]
    assert not tags_held(run(notes={"tagged": 0, "bare": []}), evidence())[0]


@pytest.mark.parametrize(("now", "fault"), [
    ({"a": OWN, "b": OWN}, ""),
    ({"a": OWN}, ""),
    ({"a": OWN, "b": {**OWN, **TAGS}}, "1 of 2 resources have other tags than before: b"),
    ({}, "0 of 0 resources"),
])  # fmt: skip
def test_each_has_its_own_again(monkeypatch: pytest.MonkeyPatch, now: dict[str, dict[str, str]], fault: str) -> None:
    monkeypatch.setattr(looks, "tags", lambda *_: now)
    made = run()
    made.tags_before = {"a": OWN, "b": OWN}
    if not fault:
        region_loss._tags_as_before(made)
        return
    with pytest.raises(SystemFault, match=fault):
        region_loss._tags_as_before(made)
