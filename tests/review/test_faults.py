"""Each fault that the benchmarks build into a sound deployment is found, in every shape; the sound one is in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.faults.base import sound
from bench.faults.catalog import FAULTS
from bench.faults.catalog.twins import TWINS
from bench.faults.fault import Fault
from bench.faults.shapes import SHAPES
from bicoastal.core.findings import Severity
from bicoastal.review.rules.index import INDEX
from tests.support.findings import of_stacks


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_found_in_the_sound_deployment(tmp_path: Path, shape: str) -> None:
    assert [str(finding) for finding in of_stacks(sound(), tmp_path / "sound", shape)] == []


@pytest.mark.parametrize("twin", TWINS, ids=[twin.id for twin in TWINS])
def test_nothing_is_found_in_what_only_looks_like_a_fault(tmp_path: Path, twin: Fault) -> None:
    for shape in SHAPES:
        assert [str(finding) for finding in of_stacks(twin.built(), tmp_path / shape, shape)] == [], shape


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.id for fault in FAULTS])
def test_a_fault_is_found_in_every_shape(tmp_path: Path, fault: Fault) -> None:
    for shape in SHAPES:
        found = of_stacks(fault.built(), tmp_path / shape, shape, fault.rule)
        assert [item.rule for item in found if item.severity is not Severity.INFO], shape
        assert all(item.location.position is not None and item.resource and item.region for item in found), shape


def test_every_rule_has_a_fault_and_every_fault_its_own_name() -> None:
    assert {fault.rule for fault in FAULTS} == set(INDEX)
    assert len({fault.id for fault in FAULTS}) == len(FAULTS)
