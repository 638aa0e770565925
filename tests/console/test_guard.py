"""Who may ask the console for what: this machine, by its name, with the token, from its own page; no GET changes."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bicoastal.console.key import Key
from tests.console.served import EAST, Served, served

CHANGES = ("/api/look", "/api/operation", "/api/operation/stop", "/api/fault", "/api/drill", "/api/drill/stop")
LOSE = {"kind": "lose-region", "region": EAST, "how": "refuse"}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("console")) as made:
        yield made


def test_the_page_is_there_for_everybody_and_loads_nothing_from_elsewhere(console: Served) -> None:
    page = console.ask("GET", "/", cookie=None)
    assert page.status == 200
    assert console.console.key.token not in page.body
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "http" not in policy
    assert "unsafe" not in policy
    for name in ("main.js", "picture.js", "style.css"):
        assert console.ask("GET", f"/page/{name}", cookie=None).status == 200
    assert "://" not in page.body


@pytest.mark.parametrize("path", ["/api/feed", "/reports/one.html"])
def test_without_the_token_nothing_is_told(console: Served, path: str) -> None:
    assert console.ask("GET", path, cookie=None).status == 401
    assert console.ask("GET", path, cookie="bicoastal-console-1=guess").status == 401
    assert console.ask("GET", path, cookie=None, authorization="Bearer guess").status == 401


@pytest.mark.parametrize("path", CHANGES)
def test_without_the_token_nothing_is_changed(console: Served, path: str) -> None:
    assert console.ask("POST", path, LOSE, cookie=None).status == 401


def test_the_token_is_taken_as_a_header_too(console: Served) -> None:
    bearer = f"Bearer {console.console.key.token}"
    assert console.ask("GET", "/reports/none.html", cookie=None, authorization=bearer).status == 404


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize("origin", [None, "https://example.com", "http://127.0.0.1:1", "null"])
def test_a_page_of_another_origin_changes_nothing(console: Served, path: str, origin: str | None) -> None:
    assert console.ask("POST", path, LOSE, origin=origin).status == 403


def test_a_name_that_leads_here_by_somebody_elses_dns_gets_nothing(console: Served) -> None:
    for path in ("/", "/api/feed"):
        assert console.ask("GET", path, host=f"evil.example.com:{console.console.key.port}").status == 421
    answer = console.ask("POST", "/api/fault", LOSE, host="evil.example.com", origin="http://evil.example.com")
    assert answer.status == 421


def test_another_sites_request_is_told_nothing(console: Served) -> None:
    assert console.ask("GET", "/api/feed", sec_fetch_site="cross-site").status == 403


@pytest.mark.parametrize("path", CHANGES)
def test_a_get_changes_nothing(console: Served, path: str) -> None:
    assert console.ask("GET", path).status == 405
    assert console.ask("HEAD", path).status == 405
    assert console.ask("DELETE", path).status == 405
    assert console.taken.asked == []


def test_a_change_is_json(console: Served) -> None:
    answer = console.ask("POST", "/api/fault", LOSE, content_type="text/plain")
    assert answer.status == 415
    assert console.taken.asked == []


def test_the_token_is_exchanged_for_a_cookie_that_no_script_reads(console: Served) -> None:
    assert console.ask("POST", "/api/session", {"token": "guess"}, cookie=None).status == 401
    answer = console.ask("POST", "/api/session", {"token": console.console.key.token}, cookie=None)
    assert answer.status == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert cookie.startswith(f"bicoastal-console-{console.console.key.port}=")


def test_it_answers_this_machine_alone(console: Served) -> None:
    assert console.console.address == ("127.0.0.1", console.console.key.port)


def test_the_key_is_read_by_its_owner_alone_and_is_the_same_the_next_time(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        key = first.console.key
        mode = (tmp_path / "console.json").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600
    with served(tmp_path) as second:
        assert second.console.key == key
    assert Key.kept(tmp_path / "console.json") == key
    assert key.token in key.url.partition("#")[2]


def test_where_the_port_is_taken_it_is_another_one(tmp_path: Path) -> None:
    with served(tmp_path) as first:
        other = tmp_path / "other"
        other.mkdir()
        first.console.key.write(other / "console.json")
        with served(other) as second:
            assert second.console.key.port != first.console.key.port
            assert second.ask("GET", "/").status == 200


def test_a_report_may_look_as_it_wants_and_do_nothing(console: Served) -> None:
    reports = console.folder / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "one.html").write_text("<title>one</title><script>alert(1)</script>")
    (console.folder / "secret.html").write_text("not a report")
    answer = console.ask("GET", "/reports/one.html")
    assert answer.status == 200
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "script-src" not in answer.headers["content-security-policy"]
    for path in ("/reports/..%2fsecret.html", "/reports/../secret.html", "/reports/%2e%2e/secret.html"):
        assert console.ask("GET", path).status == 404
    assert console.ask("GET", "/reports/..%2fconsole.json").status == 404


def test_what_is_no_object_is_no_change(console: Served) -> None:
    assert console.ask("POST", "/api/fault", [1]).status == 400
    assert console.ask("POST", "/api/fault", {"kind": "x" * 30_000}).status == 400
    assert json.loads(console.ask("POST", "/api/fault", {"kind": "moon"}).body)["error"].startswith(
        "'moon' is no fault"
    )
