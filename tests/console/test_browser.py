"""The page in a browser, on a console without a twin: keys, words, a server that goes and comes, many events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bicoastal.console.feed import Feed
from bicoastal.operate.watch.coast import Alarm, Balancer, Coast, Database, Host
from bicoastal.operate.watch.events import Event
from tests.console.served import EAST, WEST, served
from tests.support.browser import chromium, page, until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


NAMELESS = """() => [...document.querySelectorAll('button, input, select')]
    .filter((one) => !one.textContent.trim() && !one.labels?.length && !one.getAttribute('aria-label'))
    .map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as made:
        yield made


def coast(region: str, *, source: str = "", target: str = "healthy", alarm: str = "OK") -> Coast:
    return Coast(
        region, True, "", 1.0,
        balancer=Balancer("lb", f"lb.{region}.elb.amazonaws.com", "active", [f"{region}a", f"{region}b"]),
        switch="off", gate="open",
        hosts=[Host("i-0123456789abcdef0", f"{region}a", "running", "InService", target, "", "", {})],
        databases=[
            Database("orders-production-db-g1", "available", source, f"{region}a", f"{region}b", True, "", True, {}),
        ],
        alarms=[Alarm("orders-production-fenced", alarm, True, "The database is fenced.", 1.0)],
    )  # fmt: skip


def steady(feed: Feed) -> None:
    """Both coasts as they should be."""
    feed.put(f"coast/{EAST}", coast(EAST))
    feed.put(f"coast/{WEST}", coast(WEST, source="arn"))
    feed.put("standing", {"primary": EAST, "protected": True, "why": [], "stops": []})
    feed.put("users", {EAST: {EAST: 4}, WEST: {WEST: 4}})
    feed.put("checks", {"checks": [], "why": ""})


def shown(made: Page, url: str) -> Page:
    made.goto(url)
    made.wait_for_selector("#picture svg")
    return made


def test_a_page_without_the_token_asks_for_it_and_opens_with_it(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as console, page(browser) as made:
        steady(console.feed)
        made.goto(console.console.key.origin)
        made.get_by_role("textbox", name="Token").fill("guess")
        made.get_by_role("button", name="Open").click()
        made.get_by_text("this is not the token of this console").wait_for()
        made.get_by_role("textbox", name="Token").fill(console.console.key.token)
        made.keyboard.press("Enter")
        made.wait_for_selector("#picture svg")
        # The cookie opens it the next time, and the token is in no address.
        made.goto(console.console.key.url)
        made.wait_for_selector("#picture svg")
        until("the token is out of the address", lambda: "#" not in made.url)
        shown(made, console.console.key.origin)


def test_the_eye_goes_to_what_is_wrong_and_the_ear_too(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as console, page(browser) as made:
        steady(console.feed)
        shown(made, console.console.key.url)
        made.get_by_text(f"{EAST} is the primary, protected").wait_for()
        assert made.locator("#wrong li").all_inner_texts() == ["Nothing that is known."]
        console.feed.put(f"coast/{WEST}", coast(WEST, source="arn", target="unhealthy", alarm="ALARM"))
        console.feed.put("standing", {"primary": EAST, "protected": False, "why": ["nobody follows"], "stops": []})
        console.feed.happened(Event("bad", "alarm fenced", WEST))
        made.get_by_text(f"{EAST} is the primary, unprotected").wait_for()
        wrong = " ".join(made.locator("#wrong li").all_inner_texts())
        for text in ("alarm fenced", "instance …cdef0 is unhealthy", "unprotected: nobody follows"):
            assert text in wrong
        until("it is spoken", lambda: "alarm fenced" in made.locator("#spoken").inner_text())
        assert made.locator("#spoken").get_attribute("aria-live") == "polite"


def test_what_is_not_known_is_said_so_and_the_picture_is_a_table_too(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path, twin=False) as console, page(browser) as made:
        steady(console.feed)
        console.feed.put("users", None)
        shown(made, console.console.key.url)
        assert "where names lead them is unknown" in made.locator("#picture").inner_text()
        assert "wire not measured" in made.locator("#picture").inner_text()
        assert "requests" in made.locator("#picture").inner_text()
        made.get_by_text("The same as a table").click()
        row = made.get_by_role("row", name="Users are sent to").inner_text()
        assert row.split() == ["Users", "are", "sent", "to", "unknown", "unknown"]
        assert made.locator("#faults-card").is_hidden()
        assert made.get_by_label("Type orders-production to confirm").is_visible()


def test_everything_can_be_reached_by_keys_and_has_a_name(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as console, page(browser) as made:
        steady(console.feed)
        shown(made, console.console.key.url)
        made.get_by_role("button", name="Kill the instance").first.wait_for()
        reached: set[str] = set()
        for _ in range(80):
            made.keyboard.press("Tab")
            reached.add(made.evaluate("() => document.activeElement.textContent + document.activeElement.name"))
        said = " ".join(reached)
        for name in ("Look again", "Show the plan", "Start the drill", "Lose it: refuses", "Cut it: silent"):
            assert name in said, f"{name} is not reached by Tab"
        nameless = made.evaluate(NAMELESS)
        assert nameless == []
        assert made.locator("#picture svg").get_attribute("role") == "img"
        assert "us-west-2: replica" in (made.locator("#picture svg").get_attribute("aria-label") or "")


@pytest.mark.parametrize("width", [800, 1280])
def test_nothing_is_cut_off(browser: Browser, tmp_path: Path, width: int) -> None:
    with served(tmp_path) as console, page(browser, width=width) as made:
        steady(console.feed)
        shown(made, console.console.key.url)
        over = made.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert over == 0


def test_a_server_that_comes_back_is_found_again_with_what_has_happened(browser: Browser, tmp_path: Path) -> None:
    with page(browser) as made:
        with served(tmp_path) as console:
            steady(console.feed)
            console.feed.happened(Event("note", "before it went", ""))
            shown(made, console.console.key.url)
            made.locator("#events").get_by_text("before it went").wait_for()
        made.get_by_text("no word from the console").wait_for()
        with served(tmp_path) as console:
            steady(console.feed)
            console.feed.happened(Event("note", "after it came", ""))
            made.locator("#events").get_by_text("after it came").wait_for()
            until("it is live again", lambda: made.locator("#live-text").inner_text().startswith("live"))
            assert made.locator("#events").get_by_text("before it went").count() == 1


def test_a_thousand_events_do_not_make_the_page_grow(browser: Browser, tmp_path: Path) -> None:
    with served(tmp_path) as console, page(browser) as made:
        steady(console.feed)
        shown(made, console.console.key.url)

        def load(first: int, last: int) -> int:
            for number in range(first, last):
                console.feed.happened(Event("good", f"event {number} of many", EAST))
            made.locator("#events").get_by_text(f"event {last - 1} of many").wait_for()
            return int(made.evaluate("() => document.querySelectorAll('*').length"))

        few = load(0, 300)
        many = load(300, 2300)
        assert many == few, "elements of the page"
        assert made.locator("#events li").count() == 200
        assert "200 of 1000 events" in made.locator("#events-note").inner_text()
