"""Reports as people and programs read them: the contract of JSON, one screen of text, one file of HTML."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from typing import Any

import jsonschema
import pytest

from bicoastal.drill.experiment import Said
from bicoastal.drill.experiments import EXPERIMENTS
from bicoastal.drill.measure import Recovery
from bicoastal.drill.page import as_html
from bicoastal.drill.promises import READS_ARE_TRUE
from bicoastal.drill.report import Stretch, Unplayed, as_json, verdict
from bicoastal.drill.row import row_as_json, row_as_text
from bicoastal.drill.text import as_text
from tests.drill.reports import report

_NUMBER = {"type": ["number", "null"]}
_COUNT = {"type": ["integer", "null"]}
CONTRACT = {
    "type": "object",
    "required": [
        "scenario",
        "pace",
        "seed",
        "verdict",
        "phases",
        "rto_s",
        "rpo",
        "predicted",
        "calls",
        "forbidden_calls",
    ],
    "properties": {
        "scenario": {"type": "string"},
        "pace": {"enum": ["fast", "real"]},
        "seed": {"type": "integer"},
        "verdict": {"enum": ["held", "broken"]},
        "phases": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "start_s", "end_s"],
                "properties": {"start_s": {"type": "number"}, "end_s": {"type": "number"}},
            },
        },
        "rto_s": {"type": "object", "required": ["reads", "writes"], "additionalProperties": _NUMBER},
        "rpo": {
            "type": "object",
            "required": ["acknowledged", "lost", "diverged", "accepted_before_fence", "heartbeat_age_s"],
            "properties": {"lost": _COUNT, "diverged": _COUNT, "heartbeat_age_s": _NUMBER},
        },
        "predicted": {"type": "object"},
        "calls": {
            "type": "array",
            "items": {"type": "object", "required": ["t_s", "service", "region", "action", "outcome"]},
        },
        "forbidden_calls": {"type": "integer"},
    },
}


def test_json_keeps_the_contract() -> None:
    data = json.loads(as_json(report()))
    jsonschema.validate(data, CONTRACT)
    assert data["verdict"] == "held"
    assert data["rto_s"] == {"reads": 8.9, "writes": 9.1}
    assert data["rpo"]["lost"] == 0
    assert data["calls"][0]["t_s"] == 3


def test_what_was_not_measured_is_null_and_unknown_and_never_zero() -> None:
    nothing = Recovery(None, {}, "")
    shown = report(reads=nothing, undrained=nothing, writes=nothing, loss=None, heartbeat_age_s=None, moved_s=None)
    data = json.loads(as_json(shown))
    jsonschema.validate(data, CONTRACT)
    assert data["rto_s"] == {"reads": None, "writes": None}
    assert data["rpo"]["lost"] is None
    assert "unknown" in as_text(shown)
    assert "unknown" in as_html([shown])


def test_one_broken_sentence_breaks_the_drill_and_says_why() -> None:
    broken = Said("then", "every user writes again", False, "42.0 s (writer 2), at most 9.5 s")
    shown = report(sentences=(*report().sentences, broken))
    assert json.loads(as_json(shown))["verdict"] == "broken"
    assert "BROKEN" in as_text(shown)
    assert "42.0 s (writer 2), at most 9.5 s" in as_text(shown)
    assert json.loads(as_json(report(sentences=())))["verdict"] == "broken", "nothing was shown"


def test_text_fits_a_screen_and_names_its_pace() -> None:
    text = as_text(report())
    assert "Pace fast, seed 7" in text
    assert "measured here" in text
    assert "computed, AWS" in text
    assert ">= 265 s" in text
    assert len(text.splitlines()) < 50


@pytest.mark.parametrize("name", list(EXPERIMENTS))
def test_the_text_of_every_drill_that_held_fits_a_screen(name: str) -> None:
    """With all of its sentences, a failover of fifteen steps, and a long way back."""
    one = EXPERIMENTS[name]
    found = "38.9 s (writer 2 near us-east-1), at most 40.5 s, whatever else is said of it"
    sentences = [
        *(Said("given", condition.text, True) for condition in one.given),
        *(Said("when", deed.text, True) for deed in one.when),
        *(Said("then", promise.text, True, found) for promise in (*one.then, READS_ARE_TRUE)),
        *(Said("afterwards", deed.text, True) for deed in one.afterwards),
        *(Said("afterwards", condition.text, True) for condition in one.given),
    ]
    steps = [Stretch(f"step {number}", number / 2, number / 2 + 0.4, 1) for number in range(15)]
    phases = [*report().phases[:2], *steps, *(Stretch(f"phase {number}", 20, 22) for number in range(8))]
    text = as_text(report(sentences=sentences, phases=phases))
    assert len(text.splitlines()) <= 55
    assert max(map(len, text.splitlines())) <= 120


def test_the_text_tells_what_was_typed_again_once() -> None:
    typed = (("bicoastal failover", 1.0, 0.5), ("bicoastal failover", 2.0, 6.0), ("bicoastal rejoin", 20.0, 30.0))
    assert "typed `bicoastal failover` (2 times, 7.0 s), `bicoastal rejoin` (30.0 s)." in as_text(
        report(commands=typed)
    )


def test_a_row_of_drills_is_a_table_and_then_what_did_not_hold() -> None:
    broken = report(scenario="surge", sentences=(Said("then", "it grows", False, "it was not asked to grow"),))
    unplayed = Unplayed("partition", "the regions do not see each other", "the twin did not start")
    text = row_as_text([report(), broken, unplayed])
    lines = text.splitlines()
    assert lines[0].split() == ["drill", "verdict", "seconds", "reads", "writes", "lost"]
    assert lines[1].split() == ["region-loss", "held", "0", "8.9", "s", "9.1", "s", "0"]
    assert lines[2].split()[:2] == ["surge", "BROKEN"]
    assert lines[3].startswith("partition")
    assert "NOT REHEARSED" in lines[3]
    assert "3 drills: 1 held, 1 broken, 1 not rehearsed." in text
    assert "it was not asked to grow" in text
    assert "the twin did not start" in text
    data = json.loads(row_as_json([report(), broken, unplayed]))["drills"]
    assert [one["verdict"] for one in data] == ["held", "broken", "not rehearsed"]
    page = as_html([report(), broken, unplayed])
    assert "3 drills: 1 held, 1 broken, 1 not rehearsed" in page
    assert "the twin did not start" in page


def test_a_drill_without_its_steady_state_was_not_rehearsed() -> None:
    given = Said("given", "pages are served on both coasts", False, "a page was not served")
    assert verdict(report(sentences=(given,))) == "not rehearsed"
    assert "NOT REHEARSED" in as_text(report(sentences=(given,)))


@pytest.fixture(scope="module")
def page() -> str:
    return as_html([report(title="a <b>bold</b> & daring title"), report()])


def test_html_is_one_file_that_asks_for_nothing(page: str) -> None:
    assert not re.search(r"(?:src|href)=|url\(|@import|<script|<link", page)
    assert "prefers-color-scheme:dark" in page


def test_html_escapes_what_it_shows(page: str) -> None:
    assert "<b>bold" not in page
    assert "&lt;gate&gt;" in page


def test_every_plot_is_a_picture_within_its_frame(page: str) -> None:
    plots = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    assert len(plots) == 4, "the loss and the way home, of two drills"
    for plot in plots:
        root = ET.fromstring(_quoted(plot))
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        for rectangle in root.iter("rect"):
            box: dict[str, Any] = {name: float(rectangle.attrib[name]) for name in ("x", "y", "width", "height")}
            assert 0 <= box["x"] <= width
            assert box["x"] + box["width"] <= width + 8
            assert box["y"] >= 0
            assert box["y"] + box["height"] <= height


def test_colors_of_the_plot_have_values_in_both_schemes(page: str) -> None:
    used = set(re.findall(r"var\(--([a-z]+)\)", page))
    for scheme in re.findall(r":root\{(.*?)\}", page, re.DOTALL):
        assert used <= set(re.findall(r"--([a-z]+):", scheme))


def _quoted(plot: str) -> str:
    """HTML takes attributes without quotes, XML does not."""
    return re.sub(r"(\s(?:class|text-anchor))=([a-z]+)", r'\1="\2"', plot)
