"""The metadata service by real requests: tokens, what it tells, and whom it does not answer."""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator, Mapping

import pytest

from bicoastal.twin.instances.metadata import PORT, Identity, Metadata, Options
from bicoastal.twin.instances.reactor import Reactor

ADDRESS = "127.11.3.1"
"""Of a network that no twin claims."""
ME = Identity(
    region="us-west-2",
    zone="us-west-2b",
    account="111122223333",
    id="i-0123456789abcdef0",
    image="ami-1",
    type="t3.micro",
    architecture="x86_64",
    private_ip="10.1.2.3",
    host_name="ip-10-1-2-3.us-west-2.compute.internal",
    launched="2026-01-01T00:00:00Z",
    groups=("fleet",),
    tags={"Name": "orders"},
    role="instance",
    profile={"InstanceProfileArn": "arn:aws:iam::111122223333:instance-profile/instance"},
    user_data=b"#cloud-config\n",
)
CREDENTIALS = {"AccessKeyId": "A", "SecretAccessKey": "S", "SessionToken": "T", "Expiration": "2026-01-01T06:00:00Z"}


@pytest.fixture
def reactor() -> Iterator[Reactor]:
    made = Reactor()
    made.start()
    yield made
    made.stop()


def served(reactor: Reactor, options: Options | None = None, *, denied: bool = False) -> Metadata:
    service = Metadata(ME, options or Options(tags=True), lambda: CREDENTIALS, lambda _: denied)
    reactor.submit(service.start(ADDRESS)).result(10)
    return service


def ask(method: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=10)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def token(seconds: int = 60) -> dict[str, str]:
    status, text = ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(seconds)})
    assert status == 200
    return {"X-aws-ec2-metadata-token": text}


def test_it_tells_with_a_token_and_not_without(reactor: Reactor) -> None:
    service = served(reactor)
    assert ask("GET", "/latest/meta-data/instance-id")[0] == 401
    assert ask("GET", "/latest/meta-data/instance-id", {"X-aws-ec2-metadata-token": "guess"})[0] == 401
    mine = token()
    told = {
        "meta-data/instance-id": ME.id,
        "meta-data/placement/availability-zone": ME.zone,
        "meta-data/placement/region": ME.region,
        "meta-data/local-ipv4": ME.private_ip,
        "meta-data/tags/instance/Name": "orders",
        "meta-data/iam/security-credentials/": "instance",
        "meta-data/placement/": "availability-zone\nregion",
        "user-data": "#cloud-config\n",
    }
    assert {path: ask("GET", f"/latest/{path}", mine)[1] for path in told} == told
    assert json.loads(ask("GET", "/latest/meta-data/iam/security-credentials/instance", mine)[1])["Token"] == "T"
    assert json.loads(ask("GET", "/latest/dynamic/instance-identity/document", mine)[1])["instanceId"] == ME.id
    assert ask("GET", "/latest/meta-data/none", mine)[0] == 404
    assert "tags/" in ask("GET", "/latest/meta-data/", mine)[1].split()
    reactor.submit(service.stop()).result(10)


@pytest.mark.parametrize(
    "headers", [{}, {"X-aws-ec2-metadata-token-ttl-seconds": "0"}, {"X-aws-ec2-metadata-token-ttl-seconds": "99999"}]
)
def test_a_token_needs_a_life(reactor: Reactor, headers: Mapping[str, str]) -> None:
    service = served(reactor)
    assert ask("PUT", "/latest/api/token", headers)[0] == 400
    forwarded = {"X-aws-ec2-metadata-token-ttl-seconds": "60", "X-Forwarded-For": "1.2.3.4"}
    assert ask("PUT", "/latest/api/token", forwarded)[0] == 403
    reactor.submit(service.stop()).result(10)


def test_options_of_the_instance_are_heeded(reactor: Reactor) -> None:
    service = served(reactor, Options.of({"HttpTokens": "optional", "HttpEndpoint": "enabled"}))
    assert ask("GET", "/latest/meta-data/instance-id") == (200, ME.id)
    assert ask("GET", "/latest/meta-data/tags/instance/Name")[0] == 404, "tags were not asked for"
    reactor.submit(service.stop()).result(10)
    service = served(reactor, Options.of({"HttpEndpoint": "disabled"}))
    assert ask("GET", "/latest/meta-data/instance-id")[0] == 403
    reactor.submit(service.stop()).result(10)


def test_who_is_denied_is_reset(reactor: Reactor) -> None:
    service = served(reactor, denied=True)
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    reactor.submit(service.stop()).result(10)


def test_who_still_waits_when_the_twin_ends_sees_the_connection_end_and_nobody_complains() -> None:
    asked, answers, complaints = threading.Event(), threading.Event(), list[object]()

    def credentials() -> Mapping[str, str]:
        asked.set()
        answers.wait(10)
        return CREDENTIALS

    reactor = Reactor()
    reactor.loop.set_exception_handler(lambda _, context: complaints.append(context))
    reactor.start()
    service = Metadata(ME, Options.of({"HttpTokens": "optional"}), credentials, lambda _: False)
    reactor.submit(service.start(ADDRESS)).result(10)
    with contextlib.closing(http.client.HTTPConnection(ADDRESS, PORT, timeout=10)) as connection:
        connection.request("GET", "/latest/meta-data/iam/security-credentials/instance")
        assert asked.wait(10)
        reactor.submit(service.stop()).result(10)
        reactor.stop()
        answers.set()
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            connection.getresponse()
    assert complaints == []
