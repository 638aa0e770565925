"""Of two operators one wins, whatever became of others before them: on the control plane's own S3."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, tzinfo
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from bicoastal.aws.session import Session
from bicoastal.cli.operating import alone
from bicoastal.core.errors import Refused, SystemFault
from bicoastal.operate import lock
from bicoastal.operate.journal import Journal
from bicoastal.operate.lock import LOCK, RESTORE_LOCK, Place, held, refuse_beside
from bicoastal.twin.cloud.process import Cloud
from tests.operate.kits import EAST, WEST
from tests.support.running import until

NO_PROCESS = 2**22 + 1
"""Above the highest number that is ever given."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        at = cloud.endpoint
        made = Session.at(at.url, at.access_key_id, at.secret_access_key)
        for region in (EAST, WEST):
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}} if region != EAST else {}
            made.client("s3", region).create_bucket(Bucket=f"artifacts-{region}", **where)
        yield made


@pytest.fixture
def place(session: Session) -> Place:
    return Place(session, WEST, f"artifacts-{WEST}")


@pytest.fixture
def other(session: Session) -> Place:
    return Place(session, EAST, f"artifacts-{EAST}")


def content(place: Place, key: str = LOCK) -> dict[str, Any]:
    found = place.session.client("s3", place.region).get_object(Bucket=place.bucket, Key=key)["Body"].read()
    return dict(json.loads(found))


def write(place: Place, **said: Any) -> None:
    place.session.client("s3", place.region).put_object(Bucket=place.bucket, Key=LOCK, Body=json.dumps(said).encode())


def delete(place: Place) -> None:
    place.session.client("s3", place.region).delete_object(Bucket=place.bucket, Key=LOCK)


def test_of_two_operators_one_wins_and_the_other_is_told_who(place: Place) -> None:
    with (
        held(place, "failover to us-west-2"),
        pytest.raises(Refused, match=r"@.* holds the lock: failover to us-west-2, since 20.*renewed \d+ s ago"),
        held(place, "rejoin"),
    ):
        pass
    with held(place, "rejoin"):
        pass  # it was given back


def test_a_restore_is_beside_everything_but_another_restore(place: Place) -> None:
    with held(place, "failover"), held(place, "restore", RESTORE_LOCK):
        with pytest.raises(Refused, match="restore"), held(place, "restore", RESTORE_LOCK):
            pass
        with pytest.raises(Refused, match="failover"):
            refuse_beside(place)


@pytest.mark.parametrize("at_once", [2, 6])
def test_a_killed_operators_lock_goes_to_one_of_those_who_break_it(place: Place, at_once: int) -> None:
    """All have read the same dead holder before the first of them breaks his lock."""
    for _ in range(10):
        with held(place, "failover"):
            killed = {**content(place), "process": NO_PROCESS}
        write(place, **killed)
        together = threading.Barrier(at_once)
        over = threading.Barrier(at_once)

        def take(together: threading.Barrier = together, over: threading.Barrier = over) -> bool:
            together.wait()
            try:
                with held(place, "failover"):
                    over.wait()
                    return True
            except Refused:
                over.wait()
                return False

        with ThreadPoolExecutor(at_once) as pool:
            won = [future.result() for future in [pool.submit(take) for _ in range(at_once)]]
        assert sum(won) == 1


def test_another_machines_lock_is_broken_when_it_was_not_renewed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the age that S3 gives it: what the holder's clock says, or ours, does not count."""
    write(place, who="ann@elsewhere", process=1, operation="failover", renewed="1999-01-01T00:00:00Z", token="hers")
    with pytest.raises(Refused, match="ann@elsewhere holds the lock: failover"), held(place, "failover"):
        pass
    monkeypatch.setattr(lock, "LEASE_S", 1.0)

    def taken() -> bool:
        try:
            with held(place, "failover"):
                return bool(content(place)["token"] != "hers")
        except Refused:
            return False

    until("the lease is over", taken, 10)


def test_an_operators_clock_does_not_decide(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Ahead:
            return super().now(tz) + timedelta(hours=1)

    write(place, who="ann@elsewhere", process=1, operation="failover", token="hers")
    monkeypatch.setattr(lock, "datetime", Ahead)
    with pytest.raises(Refused, match=r"ann@elsewhere holds the lock: .*renewed -?[0-9] s ago"):
        refuse_beside(place)
    delete(place)


def test_what_is_no_lock_is_broken_by_its_age_alone(place: Place) -> None:
    place.session.client("s3", place.region).put_object(Bucket=place.bucket, Key=LOCK, Body=b"[half")
    with pytest.raises(Refused, match="somebody holds the lock: an operation, since an unknown time"):
        refuse_beside(place)
    delete(place)


def test_it_is_renewed_as_long_as_it_is_held(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "RENEW_S", 0.02)
    with held(place, "failover") as mine:
        first = content(place)
        until("it is renewed", lambda: content(place)["renewed"] > first["renewed"])
        assert content(place)["token"] == first["token"]
        mine.still()


@pytest.mark.parametrize("how", ["its thread notices", "its thread slept as well"])
def test_who_slept_while_somebody_took_it_does_nothing_more(
    place: Place, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    if how == "its thread notices":
        monkeypatch.setattr(lock, "RENEW_S", 0.02)
    with held(place, "failover") as mine:
        mine.still()
        write(place, who="ann@elsewhere", process=1, operation="rejoin", since="noon", token="hers")
        if how == "its thread notices":
            until("it is noticed", lambda: refused(mine.still))
        else:
            monkeypatch.setattr(lock, "LEASE_S", 0.0)
        with pytest.raises(Refused, match=r"was taken by ann@elsewhere \(rejoin, since noon\)"):
            mine.still()
    assert content(place)["token"] == "hers", "what is hers is not given back by another"
    delete(place)


def test_who_slept_while_somebody_had_it_and_gave_it_back_does_nothing_more(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with held(place, "failover") as mine:
        delete(place)
        monkeypatch.setattr(lock, "LEASE_S", 0.0)
        with pytest.raises(Refused, match="somebody who has given it back"):
            mine.still()


def refused(act: Callable[[], None]) -> bool:
    try:
        act()
    except Refused:
        return True
    return False


def test_an_answer_that_is_lost_loses_no_lock(place: Place, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """S3 has done it, and says so to nobody: the second try is told that somebody was faster, who is himself."""
    swallowed: list[str] = []

    def swallow(request: Any, **_: Any) -> AWSResponse | None:
        if len(swallowed) == at_most:
            return None
        swallowed.append(request.method)
        assert URLLib3Session().send(request).status_code == 200
        return AWSResponse(request.url, 500, {}, HTTPResponse(BytesIO(), preload_content=False))

    events = session.client("s3", WEST).meta.events
    events.register_first("before-send.s3.PutObject", swallow)
    try:
        at_most = 1
        with held(place, "failover") as mine:
            assert swallowed == ["PUT"]
            monkeypatch.setattr(lock, "LEASE_S", 0.0)
            mine.still()
            at_most = 2
            mine.still()
            assert swallowed == ["PUT", "PUT"]
            mine.still()
    finally:
        events.unregister("before-send.s3.PutObject", swallow)
    with held(place, "rejoin"):
        pass  # it was given back


def test_an_operation_of_both_regions_holds_both_or_none(place: Place, other: Place, tmp_path: Path) -> None:
    """A rejoin in one region and a switchover to the other: their journals lie in different buckets."""

    def journal(where: Place) -> Journal:
        return Journal(where.session, where.region, where.bucket, "rejoin", tmp_path)

    with alone(journal(place), "rejoin", other):
        for there, beside in ((other, place), (other, None), (place, None)):
            with pytest.raises(Refused, match="rejoin"), alone(journal(there), "switchover", beside):
                pass
    with alone(journal(other), "failover"):
        with pytest.raises(Refused, match="failover"), alone(journal(place), "rejoin", other):
            pass
        refuse_beside(place)  # what had been taken was given back
    refuse_beside(other)


def test_a_region_that_is_silent_is_done_without_unless_it_acts(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = Place(Session.at("http://127.0.0.1:9", "key", "secret", attempts=1), EAST, "artifacts")
    journal = Journal(place.session, WEST, place.bucket, "switchover", tmp_path)
    with alone(journal, "switchover", nobody) as mine:
        mine.still()
        with pytest.raises(Refused, match="switchover"):
            refuse_beside(place)
    assert "Whether an operation is under way in us-east-1 is unknown" in capsys.readouterr().err
    refuse_beside(place)
    silent = Journal(nobody.session, EAST, nobody.bucket, "switchover", tmp_path)
    with pytest.raises(SystemFault, match="taking the lock in artifacts"), alone(silent, "switchover", place):
        pass
    refuse_beside(place)
