"""HTTPS: for whom a certificate is, and which versions a policy takes."""

from __future__ import annotations

import socket
import ssl

import pytest

from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.authority import Authority
from bicoastal.twin.balancers import tls
from tests.twin.balancers.conftest import HOME, Bench, fixed, forward, until

NAME = "orders.example.com"


@pytest.fixture(scope="module")
def secure(bench: Bench) -> str:
    """A load balancer with one HTTPS listener, for TLS 1.2 at least."""
    certificate = bench.ground.api.client("acm", HOME).request_certificate(
        DomainName=NAME, SubjectAlternativeNames=[f"*.{NAME}"]
    )["CertificateArn"]
    balancer = bench.balancer()
    bench.listener(
        balancer,
        fixed("safe"),
        port=443,
        Protocol="HTTPS",
        Certificates=[{"CertificateArn": certificate}],
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09",
    )
    until(lambda: _reaches(bench, balancer), "it answers")
    return balancer


def _reaches(bench: Bench, balancer: str) -> bool:
    try:
        return bench.ask(balancer, port=443, tls=_trusting(bench)).body == "safe"
    except ConnectionError:
        return False


def _trusting(bench: Bench, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(bench.ground.authority.certificate))
    if name:
        wrap = context.wrap_socket
        context.wrap_socket = lambda sock, **how: wrap(sock, **{**how, "server_hostname": name})  # type: ignore[method-assign]
    return context


@pytest.mark.parametrize(
    "name", ["", NAME, f"us-east-1.{NAME}", f"{NAME}.localhost", f"west.{NAME}.localhost", "localhost"]
)
def test_the_certificate_is_for_the_names_that_acm_has_and_for_this_machine(
    bench: Bench, secure: str, name: str
) -> None:
    assert bench.ask(secure, port=443, tls=_trusting(bench, name)).body == "safe"


def test_the_certificate_is_for_the_dns_name_and_for_no_other(bench: Bench, secure: str) -> None:
    dns = bench.elb.describe_load_balancers(LoadBalancerArns=[secure])["LoadBalancers"][0]["DNSName"]
    assert bench.ask(secure, port=443, tls=_trusting(bench, dns)).body == "safe"
    with pytest.raises(ssl.SSLCertVerificationError, match=r"other\.example\.com"):
        bench.ask(secure, port=443, tls=_trusting(bench, "other.example.com"))


def test_a_client_older_than_the_policy_is_refused_and_a_stricter_policy_refuses_more(
    bench: Bench, secure: str
) -> None:
    old = _trusting(bench)
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        bench.ask(secure, port=443, tls=old)
    second = _trusting(bench)
    second.maximum_version = ssl.TLSVersion.TLSv1_2
    assert bench.ask(secure, port=443, tls=second).body == "safe"
    listener = bench.elb.describe_listeners(LoadBalancerArn=secure)["Listeners"][0]["ListenerArn"]
    bench.elb.modify_listener(ListenerArn=listener, SslPolicy="ELBSecurityPolicy-TLS13-1-3-2021-06")

    def refused() -> bool:
        try:
            bench.ask(secure, port=443, tls=second)
        except (ssl.SSLError, ConnectionError):
            return True
        return False

    until(refused, "TLS 1.2 is refused")
    assert bench.ask(secure, port=443, tls=_trusting(bench)).body == "safe"


def test_clients_that_speak_http_2_get_it(bench: Bench, secure: str) -> None:
    context = _trusting(bench)
    context.set_alpn_protocols(["h2", "http/1.1"])
    where = (bench.address(secure), reachable_port(443))
    with socket.create_connection(where) as plain, context.wrap_socket(plain, server_hostname=where[0]) as connection:
        assert connection.selected_alpn_protocol() == "h2"


def test_targets_may_speak_tls_with_any_certificate(bench: Bench) -> None:
    folder = bench.ground.home.certificates
    stranger = Authority(folder / "stranger", "Nobody knows it")
    stranger.issue(folder / "target.pem", folder / "target.key", ["nowhere.example.com"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "target.pem", folder / "target.key")
    bench.server("i-1", 8443, tls=context)
    balancer, group = (
        bench.balancer(),
        bench.group("app", "i-1", port=8443, Protocol="HTTPS", HealthCheckProtocol="HTTPS"),
    )
    bench.listener(balancer, forward(group))
    bench.until_health(group, i_1="healthy")
    assert bench.answers(balancer).body == "i-1"


@pytest.mark.parametrize(
    ("policy", "oldest", "newest"),
    [
        ("ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09", "TLSv1_2", "TLSv1_3"),
        ("ELBSecurityPolicy-TLS13-1-3-2021-06", "TLSv1_3", "TLSv1_3"),
        ("ELBSecurityPolicy-TLS13-1-0-2021-06", "TLSv1_0", "TLSv1_3"),
        ("ELBSecurityPolicy-FS-1-2-Res-2020-10", "TLSv1_2", "TLSv1_2"),
        ("ELBSecurityPolicy-TLS-1-1-2017-01", "TLSv1_1", "TLSv1_2"),
        ("ELBSecurityPolicy-FS-2018-06", "TLSv1_0", "TLSv1_2"),
        ("ELBSecurityPolicy-2016-08", "TLSv1_0", "TLSv1_2"),
    ],
)
def test_policies_say_their_versions_in_their_names(policy: str, oldest: str, newest: str) -> None:
    assert tls.versions(policy) == (oldest, newest)
