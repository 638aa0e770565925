"""What an operation did is read from its journal, also from one that a kill has cut off."""

from __future__ import annotations

import json

from bicoastal.drill.operator import Step, steps_of


def line(second: int, what: str, **more: str) -> str:
    return json.dumps({"at": f"2025-11-26T00:00:{second:02d}.000+00:00", "who": "me", "what": what, **more})


BEGIN = 1764115200.0


def test_steps_have_their_times() -> None:
    found = steps_of(
        [
            line(0, "assessed", state="serving"),
            line(1, "begins", step="close the read gate"),
            line(2, "done", step="close the read gate"),
            line(2, "begins", step="promote"),
            line(9, "done", step="promote"),
        ]
    )
    assert found == [Step("close the read gate", BEGIN + 1, BEGIN + 2), Step("promote", BEGIN + 2, BEGIN + 9)]


def test_a_step_that_did_not_end_has_no_end() -> None:
    assert steps_of([line(1, "begins", step="promote"), '{"at": "2025-11-26T00:0']) == [
        Step("promote", BEGIN + 1, None)
    ]


def test_other_lines_say_nothing() -> None:
    assert steps_of(["", "[]", "null", line(1, "done", step="never begun"), line(1, "refused")]) == []
