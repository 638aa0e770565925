"""Both coasts: each has its own balancer, its page, and rows that travel."""

from __future__ import annotations

import pytest

from tests.support.running import EAST, WEST, Running, until

DOMAIN = "orders.example.com"


def test_each_coast_is_given_its_own_balancer(twin: Running) -> None:
    east, west = twin.dig(EAST, DOMAIN), twin.dig(WEST, DOMAIN)
    assert len(east) == len(west) == 1
    assert east != west
    assert twin.dig(EAST, f"{WEST}.{DOMAIN}") == west, "the region's own name is its balancer's, whoever asks"


@pytest.mark.parametrize("region", [EAST, WEST])
def test_each_coast_has_its_page(twin: Running, region: str) -> None:
    page = twin.get(region)
    assert page.status == 200
    assert f"<title>Orders · {region}" in page.body
    status = twin.get(region, "/api/status").json
    assert status["region"] == region
    assert status["writable"]
    assert status["availability_zone"].startswith(region)


def test_a_row_from_the_west_is_in_the_easts_primary_and_then_in_the_wests_replica(twin: Running) -> None:
    stored = twin.order(WEST, "a row from the west")
    assert stored.status == 201
    key = stored.json["id"]
    assert twin.get(EAST, f"/api/orders/{key}").json["item"] == "a row from the west"
    until("the row is in the west's replica", lambda: twin.get(WEST, f"/api/orders/{key}").status == 200)
    assert twin.database(EAST)["ReadReplicaDBInstanceIdentifiers"]
    assert twin.database(WEST)["ReadReplicaSourceDBInstanceIdentifier"]


def test_what_the_network_does_not_admit_is_not_reached(twin: Running) -> None:
    """This test is a stranger: neither a database nor an instance talks to it."""
    host, port = (twin.database(EAST)["Endpoint"][name] for name in ("Address", "Port"))
    import socket  # noqa: PLC0415 - only here

    with socket.create_connection((host, port), timeout=5) as door:
        door.sendall(b"\0\0\0\x08\x04\xd2\x16\x2f")  # PostgreSQL's request for TLS
        door.settimeout(1.5)
        with pytest.raises(TimeoutError):
            door.recv(1)


def test_what_is_deployed_is_what_plan_would_deploy(twin: Running) -> None:
    planned = twin.bicoastal("plan")
    assert planned.returncode == 0, planned.stderr
    assert "Nothing to change" in planned.stdout


def test_a_shell_that_has_read_env_means_this_twin(twin: Running) -> None:
    assert twin.environment["BICOASTAL_HOME"] == str(twin.home)
    assert twin.environment["AWS_ENDPOINT_URL"] in twin.bicoastal("status").stdout
