"""The arithmetic of a region's loss: the sample's own templates, and what changes when theirs do."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bicoastal.blueprint.stacks import compose
from bicoastal.blueprint.write import MANIFEST, render
from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.manifest import Manifest
from bicoastal.cfn.reader import parse_template
from bicoastal.resilience.figures import Figure, later, total
from bicoastal.resilience.region_loss import Values, on_aws, on_twin, values_of
from tests.support.specs import spec

EAST, WEST = "us-east-1", "us-west-2"


@cache
def files() -> dict[str, str]:
    return dict(render(compose(spec())))


def deployment(**replaced: str) -> Deployment:
    """The sample's, with texts of its templates replaced."""
    texts = files()
    manifest = Manifest.from_json(texts[MANIFEST])
    templates = {}
    for entry in manifest.stacks:
        text = texts[entry.template]
        for old, new in replaced.items():
            text = text.replace(f"{old}: ", f"{old}: {new} #")
        templates[entry.template] = parse_template(text, entry.template)
    return Deployment.of(manifest, templates)


def values(lost: str = EAST, *, black_hole: bool = False, **replaced: str) -> Values:
    found = values_of(deployment(**replaced), lost, isolation_s=15, drain_s=10, black_hole=black_hole)
    assert found is not None
    return found


@pytest.mark.parametrize("lost", [EAST, WEST])
def test_the_samples_own_values_give_ninety_seconds_for_reads(lost: str) -> None:
    found = on_aws(values(lost))
    assert (found.reads.least, found.reads.most) == (20, 90)
    assert found.writes.least == 25 + 180 + 60
    assert found.writes.most is None, "AWS says no longest time for a promotion"


def test_at_the_fast_pace_clocks_are_divided_and_ttls_are_whole_seconds() -> None:
    found = on_twin(values(), "fast", 10)
    assert found.reads.most == 3 + 6
    assert found.writes.most == 9, "users arrive later than the writer"
    assert "promotion" in found.without


def test_a_region_that_answers_nothing_costs_what_its_askers_wait() -> None:
    refused, silent = values(), values(black_hole=True)
    assert (silent.detection.most or 0) - (refused.detection.most or 0) == 4
    assert on_twin(silent, "fast", 10, patience_s=2).reads.most == pytest.approx(3.4 + 6 + 2)


def test_a_slower_check_is_seen_in_the_sum_with_the_line_that_says_so() -> None:
    found = on_aws(values(RequestInterval="30"))
    assert found.reads.most == 30 * 3 + 60
    detection = found.figures[0]
    assert "RequestInterval 30 s x FailureThreshold 3" in detection.source
    assert detection.source.startswith("templates/checks.yaml: HomeEndpoint")


def test_without_a_check_of_the_regions_balancer_nothing_is_predicted() -> None:
    assert (
        values_of(deployment(FullyQualifiedDomainName="nobody.example.com"), EAST, isolation_s=15, drain_s=10) is None
    )


def test_every_figure_has_a_source() -> None:
    for prediction in (on_aws(values()), on_twin(values(), "real", 1)):
        assert all(figure.source for figure in prediction.figures)
    assert {figure.name for figure in on_aws(values()).figures} >= {
        "health checks notice", "DNS answers run out", "promotion", "the lost primary fences itself",
        "a kept connection to a region that returned ends",
    }  # fmt: skip


figures = st.builds(
    lambda least, more: Figure("x", least, None if more is None else least + more, "a test"),
    st.floats(0, 1000),
    st.none() | st.floats(0, 1000),
)


@given(st.lists(figures, min_size=1, max_size=6))
def test_sums_and_the_later_of_several_keep_their_order(parts: list[Figure]) -> None:
    whole, last = total("all", parts), later("last", *parts)
    assert last.least <= whole.least
    for found in (whole, last):
        assert (found.most is None) == any(part.most is None for part in parts)
        assert found.most is None or found.least <= found.most
