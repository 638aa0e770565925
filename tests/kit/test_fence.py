"""The decision alone: every row a situation, and properties that hold in all of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bicoastal.kit.fence import Fence, Lift, Limits, Sight, decide
from bicoastal.kit.witness import WitnessAnswer

LIMITS = Limits(isolation=15, lift=30)
CALM = Sight(
    epoch=3,
    fence=None,
    replica_expected=True,
    testimony=WitnessAnswer(3, "us-east-1"),
    witness_age=1,
    replica_age=1,
    watching=1000,
    agreed=1000,
)
ALONE = replace(CALM, testimony=None, witness_age=15, replica_age=15, agreed=0)
ISOLATED = Fence(3, "isolated")


@pytest.mark.parametrize(
    ("situation", "sight", "decision"),
    [
        ("all is well", CALM, None),
        ("the witness is away, the replica is there", replace(CALM, testimony=None, witness_age=999, agreed=0), None),
        ("the replica is away, the witness is there", replace(CALM, replica_age=999, agreed=0), None),
        ("both are away for the whole time", ALONE, ISOLATED),
        ("both were never seen", replace(ALONE, witness_age=None, replica_age=None), ISOLATED),
        ("both are away, not long enough", replace(ALONE, replica_age=14.9), None),
        ("both are away, but we have only begun to look", replace(ALONE, watching=14.9), None),
        ("both are away, and no replica could have been promoted", replace(ALONE, replica_expected=False), None),
        ("another instance saw the witness", replace(ALONE, witness_age=2), None),
        ("somebody was promoted", replace(CALM, testimony=WitnessAnswer(4, "us-west-2")), Fence(4, "superseded")),
        (
            "somebody was promoted, and we have only begun to look",
            replace(CALM, testimony=WitnessAnswer(4), watching=0),
            Fence(4, "superseded"),
        ),
        ("the witness has not heard of our promotion yet", replace(CALM, testimony=WitnessAnswer(2)), None),
        (
            "isolated before, now superseded",
            replace(CALM, fence=ISOLATED, testimony=WitnessAnswer(4)),
            Fence(4, "superseded"),
        ),
        ("superseded already", replace(CALM, fence=Fence(4, "superseded"), testimony=WitnessAnswer(4)), None),
        (
            "superseded again",
            replace(CALM, fence=Fence(4, "superseded"), testimony=WitnessAnswer(5)),
            Fence(5, "superseded"),
        ),
        ("fenced higher by an operator", replace(CALM, fence=Fence(9, "repair"), testimony=WitnessAnswer(4)), None),
        ("isolated, both are back for long", replace(CALM, fence=ISOLATED, agreed=30), Lift(3)),
        ("isolated, both are back for a moment", replace(CALM, fence=ISOLATED, agreed=29.9), None),
        ("isolated still", replace(ALONE, fence=ISOLATED), None),
        ("superseded, both agree", replace(CALM, fence=Fence(4, "superseded")), None),
        ("fenced by an operator, both agree", replace(CALM, fence=Fence(3, "switchover")), None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_decision(situation: str, sight: Sight, decision: Fence | Lift | None) -> None:
    assert decide(sight, LIMITS) == decision, situation


AGES = st.none() | st.floats(0, 100)
FENCES = st.none() | st.builds(Fence, st.integers(1, 6), st.sampled_from(["isolated", "superseded", "switchover"]))
SIGHTS = st.builds(
    Sight,
    epoch=st.integers(1, 5),
    fence=FENCES,
    replica_expected=st.booleans(),
    testimony=st.none() | st.builds(WitnessAnswer, st.integers(1, 6)),
    witness_age=AGES,
    replica_age=AGES,
    watching=st.floats(0, 100),
    agreed=st.floats(0, 100),
)


@given(SIGHTS)
def test_only_isolation_is_ever_lifted_and_never_against_a_higher_epoch(sight: Sight) -> None:
    if isinstance(decide(sight, LIMITS), Lift):
        assert sight.fence is not None
        assert sight.fence.reason == "isolated"
        assert sight.testimony is None or sight.testimony.epoch <= sight.epoch


@given(SIGHTS)
def test_a_higher_epoch_always_ends_fenced(sight: Sight) -> None:
    if sight.testimony is not None and sight.testimony.epoch > sight.epoch:
        assert isinstance(decide(sight, LIMITS), Fence) or sight.fence is not None


@given(SIGHTS)
def test_deciding_again_after_doing_it_changes_nothing(sight: Sight) -> None:
    decision = decide(sight, LIMITS)
    if isinstance(decision, Fence):
        assert decide(replace(sight, fence=decision, agreed=0), LIMITS) is None
