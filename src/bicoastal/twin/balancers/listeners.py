"""Listeners and target groups as Envoy's listeners, clusters and endpoints: what a file of each holds.

Changes of rules, targets and their health touch files of routes and endpoints alone, so that connections live on;
a changed listener (certificate, policy, attributes, web ACL) drains the old one's connections.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.balancers import tls, waf
from bicoastal.twin.balancers.desired import Balancer, Group, Listener
from bicoastal.twin.balancers.envoy import REQUESTS
from bicoastal.twin.balancers.routes import SOURCE_HEADER, TYPE, cluster_of
from bicoastal.twin.interfaces import Faltering
from bicoastal.twin.pace import Pace

Json = Any

CONNECT_S = 10.0
"""In which a target takes a connection, or ALB answers 504 (Application Load Balancers guide, "HTTP 504")."""
_MANY = 1_000_000
_SLOW_PERCENT, _SLOW_MS, _FAIL_PERCENT = (
    f"twin.faltering.{name}" for name in ("slow_percent", "slow_ms", "fail_percent")
)
_PAGE = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"
_LOG = {
    "at": "%START_TIME(%s.%6f)%",
    "status": "%RESPONSE_CODE%",
    "target_status": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "group": "%UPSTREAM_CLUSTER%",
    "target": "%UPSTREAM_HOST%",
    "client": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "host": "%REQ(:AUTHORITY)%",
    "protocol": "%PROTOCOL%",
    "agent": "%REQ(USER-AGENT)%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    "cipher": "%DOWNSTREAM_TLS_CIPHER%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "rule": "%ROUTE_NAME%",
    "location": "%RESP(LOCATION)%",
    "us_request": "%COMMON_DURATION(DS_RX_BEG:US_TX_BEG:us)%",
    "us_target": "%COMMON_DURATION(US_TX_END:US_RX_BEG:us)%",
    "us_response": "%COMMON_DURATION(US_RX_BEG:DS_TX_END:us)%",
}
"""Of each request, for measurements and for ALB's own log; the listener's port is added."""


@dataclass(frozen=True)
class Served:
    """Where and with what a listener is served."""

    address: str
    certificate: tuple[Path, Path] | None
    """With its key, for HTTPS."""
    folder: Path
    """With the files of routes."""


def listener(balancer: Balancer, wanted: Listener, served: Served, pace: Pace) -> Json:
    """One listener."""
    folder, certificate = served.folder, served.certificate
    filter_chain: Json = {
        "filters": [
            {"name": "http", "typed_config": _manager(balancer, wanted, pace, folder)},
        ]
    }
    if certificate is not None:
        filter_chain["transport_socket"] = _tls(balancer, wanted, certificate)
    return {
        "@type": TYPE + "envoy.config.listener.v3.Listener",
        "name": str(wanted.port),
        "address": _socket(served.address, reachable_port(wanted.port)),
        "per_connection_buffer_limit_bytes": 1 << 20,
        "filter_chains": [filter_chain],
    }


def _manager(balancer: Balancer, wanted: Listener, pace: Pace, folder: Path) -> Json:
    shown = wanted.attributes.get("routing.http.response.server.enabled", "true") == "true"
    scheme = "https" if wanted.protocol == "HTTPS" else "http"
    return {
        "@type": TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": str(wanted.port),
        "codec_type": "AUTO",
        "rds": {
            "route_config_name": str(wanted.port),
            "config_source": file_source(folder / f"routes-{wanted.port}.json"),
        },
        "use_remote_address": True,
        # It would write the machine's own address there for clients on the loopback interface.
        "skip_xff_append": True,
        "generate_request_id": False,
        "server_name": "awselb/2.0",
        "server_header_transformation": "APPEND_IF_ABSENT" if shown else "PASS_THROUGH",
        "stream_idle_timeout": _seconds(pace.seconds(balancer.idle_s)),
        "drain_timeout": "1s",
        "common_http_protocol_options": {
            "idle_timeout": _seconds(pace.seconds(balancer.idle_s)),
            "max_connection_duration": _seconds(pace.seconds(balancer.keep_alive_s)),
            "headers_with_underscores_action": "DROP_HEADER"
            if balancer.on("routing.http.drop_invalid_header_fields.enabled")
            else "ALLOW",
        },
        "http_protocol_options": {"accept_http_10": True, "default_host_for_http_10": balancer.dns},
        "early_header_mutation_extensions": [_early(scheme)],
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "local_reply_config": {"mappers": list(_own_replies())},
        "http_filters": [
            *waf.filters(balancer, pace),
            _faltering(),
            {
                "name": "envoy.filters.http.stateful_session",
                "typed_config": {
                    "@type": TYPE + "envoy.extensions.filters.http.stateful_session.v3.StatefulSession",
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": TYPE + "envoy.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            },
        ],
        "access_log": [_log(wanted.port, folder)],
    }


def _faltering() -> Json:
    """Does nothing until it is told to by `faltering`: no listener is changed for it, and no connection is lost."""
    never = {"numerator": 0, "denominator": "HUNDRED"}
    return {
        "name": "envoy.filters.http.fault",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.filters.http.fault.v3.HTTPFault",
            "delay": {"fixed_delay": "1s", "percentage": never},
            "abort": {"http_status": 503, "percentage": never},
            "delay_percent_runtime": _SLOW_PERCENT,
            "delay_duration_runtime": _SLOW_MS,
            "abort_percent_runtime": _FAIL_PERCENT,
        },
    }


def faltering(how: Faltering) -> dict[str, int]:
    """The same as Envoy's runtime has it."""
    slow_ms = round(how.slow_s * 1000)
    return {
        _SLOW_PERCENT: how.slow_percent if slow_ms else 0,
        _SLOW_MS: max(slow_ms, 1),
        _FAIL_PERCENT: how.fail_percent,
    }


def _early(scheme: str) -> Json:
    """Before rules are matched: where the client is, and nothing of what only a proxy before us could say."""
    values = {SOURCE_HEADER: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", "x-forwarded-proto": scheme}
    mutations: list[Json] = [
        {"append": {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
        for key, value in values.items()
    ]
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
            "mutations": mutations,
        },
    }


def _own_replies() -> Iterable[Json]:
    """What Envoy answers in a target's place, with ALB's status codes and pages.

    A target that refuses, closes, or speaks nonsense is 502; one that takes no connection in time is 504.
    """
    slow = {
        "name": "cel",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": "response.code_details.contains('connection_timeout')",
        },
    }
    yield _reply({"and_filter": {"filters": [_flags("UF"), {"extension_filter": slow}]}}, 504, "Gateway Time-out")
    yield _reply(_flags("UF", "UC", "UR", "UPE", "LR"), 502, "Bad Gateway")
    yield _reply(_flags("UH", "UO", "NC", "NR"), 503, "Service Temporarily Unavailable")
    for code, text in ((504, "Gateway Time-out"), (408, "Request Time-out")):
        status = {"comparison": {"op": "EQ", "value": {"default_value": code, "runtime_key": f"reply-{code}"}}}
        of_timeouts = [{"status_code_filter": status}, _flags("UT", "SI", "DT", "UMSDR")]
        yield _reply({"and_filter": {"filters": of_timeouts}}, code, text)
    yield _reply(_flags("RL", "UAEX"), 0, "Forbidden")


def _flags(*flags: str) -> Json:
    return {"response_flag_filter": {"flags": list(flags)}}


def _reply(chosen: Json, code: int, text: str) -> Json:
    """Code 0: as it is."""
    page = _PAGE.format(f"{code} {text}" if code else "%RESPONSE_CODE%")
    body = {"text_format_source": {"inline_string": page}, "content_type": "text/html"}
    return {"filter": chosen, **({"status_code": code} if code else {}), "body_format_override": body}


def _log(port: int, folder: Path) -> Json:
    return {
        "name": "file",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(folder / REQUESTS),
            "log_format": {"json_format": {**_LOG, "port": str(port)}},
        },
    }


def _tls(balancer: Balancer, wanted: Listener, certificate: tuple[Path, Path]) -> Json:
    oldest, newest = tls.versions(wanted.policy)
    public, private = certificate
    return {
        "name": "tls",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "common_tls_context": {
                "tls_params": {"tls_minimum_protocol_version": oldest, "tls_maximum_protocol_version": newest},
                "tls_certificates": [
                    {"certificate_chain": {"filename": str(public)}, "private_key": {"filename": str(private)}}
                ],
                "alpn_protocols": ["h2", "http/1.1"] if balancer.on("routing.http2.enabled", "true") else ["http/1.1"],
            },
        },
    }


def cluster(balancer: Balancer, group: Group, pace: Pace, folder: Path) -> Json:
    """One target group; its targets are in a file of their own."""
    made: Json = {
        "@type": TYPE + "envoy.config.cluster.v3.Cluster",
        "name": cluster_of(group),
        "type": "EDS",
        "eds_cluster_config": {"eds_config": file_source(folder / endpoints_file(group))},
        "connect_timeout": _seconds(pace.seconds(CONNECT_S)),
        # Which targets get requests is decided by their states alone, failing open included.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": _MANY, "max_pending_requests": _MANY, "max_requests": _MANY, "max_retries": 0}
            ]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "common_http_protocol_options": {"idle_timeout": _seconds(pace.seconds(balancer.idle_s))},
                "explicit_http_config": {"http_protocol_options": {}}
                if group.version == "HTTP1"
                else {"http2_protocol_options": {}},
            }
        },
    }
    match group.algorithm:
        case "least_outstanding_requests":
            made["lb_policy"] = "LEAST_REQUEST"
        case "weighted_random":
            made["lb_policy"] = "RANDOM"
        case _:
            made["lb_policy"] = "ROUND_ROBIN"
            if group.slow_start_s:
                window = {"slow_start_window": _seconds(pace.seconds(group.slow_start_s))}
                made["round_robin_lb_config"] = {"slow_start_config": window}
    if group.protocol == "HTTPS":
        context = {"@type": TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"}
        # ALB does not look at a target's certificate.
        made["transport_socket"] = {"name": "tls", "typed_config": context}
    return made


def endpoints(group: Group, addresses: Iterable[tuple[str, int]]) -> Json:
    """Where a target group's requests may go now."""
    listed = [{"endpoint": {"address": _socket(address, port)}} for address, port in addresses]
    return {
        "@type": TYPE + "envoy.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": cluster_of(group),
        "endpoints": [{"lb_endpoints": listed}] if listed else [],
    }


def endpoints_file(group: Group) -> str:
    """Its name."""
    return f"targets-{group.arn.rpartition('/')[2]}.json"


def file_source(path: Path) -> Json:
    """A file that Envoy reads again whenever another is renamed to its name."""
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def _socket(address: str, port: int) -> Json:
    return {"socket_address": {"address": address, "port_value": port}}


def _seconds(value: float) -> str:
    return f"{max(value, 0.001):.3f}s"
