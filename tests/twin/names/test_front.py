"""The front door, with a real TLS client in place of the browser and web servers in place of the balancers."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from bicoastal.core.errors import SystemFault
from bicoastal.twin.ground import Ground
from bicoastal.twin.interfaces import balancer_name
from bicoastal.twin.names.controller import Names
from bicoastal.twin.names.front import FrontDoor
from bicoastal.twin.names.passage import Rewriting
from bicoastal.twin.pace import Pace
from tests.twin.conftest import Grounds
from tests.twin.names.endpoints import Endpoint, reply
from tests.twin.names.test_names import HOME, STANDBY, Route53, balancer, running, until

PACE = Pace("twenty", 20)
"""A balancer's alias is kept for three seconds."""


@dataclass
class Stage:
    """Both coasts, each with a server in its balancer's place."""

    ground: Ground
    names: Names
    route53: Route53
    door: FrontDoor
    servers: dict[str, Endpoint]

    def browser(self, region: str) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cafile=str(self.ground.authority.certificate))
        host = f"{region}.localhost" if region else "localhost"

        class Browser(http.client.HTTPSConnection):
            def connect(self) -> None:
                plain = socket.create_connection(("127.0.0.1", self.port), 10)
                self.sock = context.wrap_socket(plain, server_hostname=self.host)

        return Browser(host, self.door.port)


def get(browser: http.client.HTTPConnection, path: str = "/", **headers: str) -> tuple[int, str]:
    browser.request("GET", path, headers=headers)
    answer = browser.getresponse()
    return answer.status, answer.read().decode()


@pytest.fixture
def stage(grounds: Grounds) -> Iterator[Stage]:
    ground = grounds("names", pace=PACE)
    route53 = Route53(ground)
    with ExitStack() as stack:
        servers = {}
        for region in (HOME, STANDBY):
            arn, dns_name = balancer(ground, region)
            address = ground.addresses.of(balancer_name(region, arn))
            authority = (ground.authority, ground.home.certificates)
            servers[region] = stack.enter_context(Endpoint(address, 10443, authority))
            servers[region].answer = reply(200, f"this is {region}".encode())
            route53.alias("nearest.orders.", dns_name, "ZELB", SetIdentifier=region, Region=region)
        route53.alias("orders.", "nearest.orders.example.com")
        names = stack.enter_context(running(ground))
        until(lambda: names.public_name == "orders.example.com")
        door = stack.enter_context(FrontDoor(ground, names))
        yield Stage(ground, names, route53, door, servers)


def test_each_coasts_page_is_that_of_its_own_balancer(stage: Stage) -> None:
    for region in (HOME, STANDBY):
        browser = stage.browser(region)
        assert get(browser) == (200, f"this is {region}")
        assert get(browser, "/again") == (200, f"this is {region}")
        browser.close()
        server = stage.servers[region]
        assert stage.ground.addresses.coast_of(server.sources[0]) == region, "the source tells where the user is"
        assert len(server.sources) == 1, "one connection for both, as the browser has"
        assert server.names == ["orders.example.com"]
        assert b"Host: orders.example.com\r\n" in server.asked or b"host: orders.example.com\r\n" in server.asked
    assert stage.door.url(STANDBY) == f"https://us-west-2.localhost:{stage.door.port}/"


def test_the_application_sees_its_public_name_and_the_browser_its_own(stage: Stage) -> None:
    here = f"https://{STANDBY}.localhost:{stage.door.port}"
    more = ["Location: https://orders.example.com:443/orders/1", "Set-Cookie: s=1; Domain=orders.example.com; Path=/"]
    stage.servers[STANDBY].answer = reply(303, headers=more)
    browser = stage.browser(STANDBY)
    browser.request("POST", "/orders", body=b"item=1", headers={"Origin": here, "Referer": f"{here}/orders"})
    answer = browser.getresponse()
    answer.read()
    assert (answer.status, answer.headers["Location"]) == (303, f"{here}/orders/1")
    assert answer.headers["Set-Cookie"] == "s=1; Path=/"
    asked = stage.servers[STANDBY].asked.lower()
    assert b"\r\norigin: https://orders.example.com\r\n" in asked
    assert b"\r\nreferer: https://orders.example.com/orders\r\n" in asked
    browser.close()


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/orders", "/orders"),
        ("https://orders.example.com", "https://x.localhost:1"),
        ("http://orders.example.com:80/a?b", "https://x.localhost:1/a?b"),
        ("https://orders.example.com.evil.org/", "https://orders.example.com.evil.org/"),
        ("https://elsewhere.example.com/", "https://elsewhere.example.com/"),
    ],
)
def test_redirects_within_the_application_stay_in_the_front_door(location: str, expected: str) -> None:
    rewriting = Rewriting("x.localhost:1", "orders.example.com")
    assert rewriting.response([(b"location", location.encode())]) == [(b"location", expected.encode())]


def test_a_browser_is_moved_when_its_answers_ttl_is_over(stage: Stage) -> None:
    browser = stage.browser(HOME)
    assert get(browser) == (200, f"this is {HOME}")
    browser.close()
    elb = stage.ground.api.client("elbv2", HOME)
    group = elb.describe_target_groups()["TargetGroups"][0]["TargetGroupArn"]
    elb.deregister_targets(TargetGroupArn=group, Targets=[{"Id": "i-1"}])
    stage.servers[HOME].stop()
    resolved = stage.names.resolve
    until(lambda: resolved("orders.example.com", HOME).addresses == resolved("orders.example.com", STANDBY).addresses)
    begun = time.monotonic()

    def page() -> tuple[int, str]:
        again = stage.browser(HOME)
        try:
            return get(again)
        finally:
            again.close()

    status, text = page()
    assert status == 502, "for three seconds it goes where the DNS said, as a browser does"
    assert "near us-east-1" in text
    assert "10443 does not serve" in text
    until(lambda: page() == (200, f"this is {STANDBY}"))
    assert time.monotonic() - begun < 10


def test_a_connection_that_the_balancer_ends_is_made_anew(stage: Stage) -> None:
    browser = stage.browser(HOME)
    stage.servers[HOME].answer = reply(200, b"once", ["Connection: close"])
    assert get(browser) == (200, "once")
    assert get(browser) == (200, "once")
    assert len(stage.servers[HOME].sources) == 2
    browser.close()


def test_a_balancer_that_ends_the_connection_is_named_as_the_one_who_did(stage: Stage) -> None:
    stage.servers[HOME].answer = b""
    stage.servers[HOME].hangs_up = True
    browser = stage.browser(HOME)
    status, text = get(browser)
    assert (status, "ended the connection without an answer" in text) == (502, True)
    browser.close()


def test_after_a_switch_of_protocols_bytes_are_bytes(stage: Stage) -> None:
    server = stage.servers[HOME]
    server.answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi"
    browser = stage.browser(HOME)
    browser.connect()
    host = f"{HOME}.localhost:{stage.door.port}"
    head = f"GET /live HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    browser.sock.sendall(head.encode())
    with browser.sock.makefile("rb") as stream:
        assert stream.readline().startswith(b"HTTP/1.1 101 ")
        while stream.readline() != b"\r\n":
            pass
        assert stream.read(4) == b"\x81\x02hi"
        browser.sock.sendall(b"\x81\x00no http\r\n\r\n")
        until(lambda: server.asked == b"\x81\x00no http\r\n\r\n")
    browser.close()


def test_plain_http_is_sent_to_https_and_a_name_of_no_coast_lists_them(stage: Stage) -> None:
    plain = http.client.HTTPConnection("127.0.0.1", stage.door.port, timeout=10)
    plain.request("GET", "/orders?x=1", headers={"Host": f"{STANDBY}.localhost:{stage.door.port}"})
    answer = plain.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, f"{stage.door.url(STANDBY)}orders?x=1")
    plain.close()
    browser = stage.browser("")
    status, text = get(browser)
    assert status == 200
    assert all(stage.door.url(region) in text for region in (HOME, STANDBY))
    browser.close()


def test_a_twin_without_an_application_says_so(grounds: Grounds) -> None:
    ground = grounds("names")
    with running(ground) as names, FrontDoor(ground, names) as door:
        stage = Stage(ground, names, None, door, {})  # type: ignore[arg-type]
        browser = stage.browser(HOME)
        status, text = get(browser)
        assert (status, "There is no application yet" in text) == (502, True)
        browser.close()


def test_a_taken_port_is_said_in_one_line(stage: Stage) -> None:
    with pytest.raises(SystemFault, match=f"127.0.0.1:{stage.door.port}: the front door cannot listen"):
        FrontDoor(stage.ground, stage.names, port=stage.door.port).start()
