"""A listener's rules as Envoy's routes: conditions in the order of their priorities, then what is done.

Wildcards become regular expressions: Envoy's own matchers take none in the middle of a path. A redirect names a port of
AWS's; here it leads to where that port is on the twin (`reachable_port`), so that whoever follows it arrives: port 443
is always written, though browsers leave it out on AWS. Rules that authenticate go on as if they had.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from bicoastal.twin.addresses import reachable_port
from bicoastal.twin.balancers.desired import Action, Balancer, Condition, Group, Listener, Rule
from bicoastal.twin.pace import Pace

Json = Any

TYPE = "type.googleapis.com/"
SOURCE_HEADER = "x-bicoastal-source"
"""Where the client's address is while rules are matched; it does not reach the target."""
_STATUS = {"HTTP_301": "MOVED_PERMANENTLY", "HTTP_302": "FOUND"}
_HSTS = "routing.http.response.strict_transport_security.header_value"
_SET_HEADERS = {
    _HSTS: "strict-transport-security",
    "routing.http.response.access_control_allow_origin.header_value": "access-control-allow-origin",
    "routing.http.response.access_control_allow_methods.header_value": "access-control-allow-methods",
    "routing.http.response.access_control_allow_headers.header_value": "access-control-allow-headers",
    "routing.http.response.access_control_allow_credentials.header_value": "access-control-allow-credentials",
    "routing.http.response.access_control_expose_headers.header_value": "access-control-expose-headers",
    "routing.http.response.access_control_max_age.header_value": "access-control-max-age",
    "routing.http.response.content_security_policy.header_value": "content-security-policy",
    "routing.http.response.x_content_type_options.header_value": "x-content-type-options",
    "routing.http.response.x_frame_options.header_value": "x-frame-options",
}


def table(balancer: Balancer, listener: Listener, pace: Pace) -> Json:
    """The routes of one listener, as a resource that Envoy reads from a file."""
    port = str(reachable_port(listener.port))
    shown = listener.attributes.get("routing.http.response.server.enabled", "true") == "true"
    set_headers = {name: listener.attributes[key] for key, name in _SET_HEADERS.items() if listener.attributes.get(key)}
    return {
        "@type": TYPE + "envoy.config.route.v3.RouteConfiguration",
        "name": str(listener.port),
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "routes": [_route(balancer, listener, rule, pace) for rule in listener.rules],
            }
        ],
        "request_headers_to_add": [
            _header("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%", append=True),
            _header("x-forwarded-port", port),
        ],
        "request_headers_to_remove": [SOURCE_HEADER, "x-envoy-external-address", "x-envoy-internal"],
        "response_headers_to_add": [_header(name, value) for name, value in set_headers.items()],
        "response_headers_to_remove": [] if shown else ["server"],
    }


def _route(balancer: Balancer, listener: Listener, rule: Rule, pace: Pace) -> Json:
    return {
        "name": rule.arn.rpartition("/")[2],
        "match": _match(rule.conditions),
        **_act(balancer, listener, rule.action, pace),
    }


def _match(conditions: tuple[Condition, ...]) -> Json:
    headers = [_header_match(condition) for condition in conditions if condition.kind != "path-pattern"]
    paths = [condition for condition in conditions if condition.kind == "path-pattern"]
    path = {"safe_regex": {"regex": _any(paths[0].values)}} if paths else {"prefix": "/"}
    return {**path, **({"headers": headers} if headers else {})}


def _header_match(condition: Condition) -> Json:
    values = condition.values
    match condition.kind:
        case "host-header":
            return _matching(":authority", f"(?i){_any(values)}(?::[0-9]+)?")
        case "http-header":
            return _matching(condition.header.lower(), f"(?i){_any(values)}")
        case "http-request-method":
            return _matching(":method", "|".join(map(re.escape, values)))
        case "query-string":
            pairs = "|".join(
                f"{_wild(pair.get('Key', '*'), '[^&=]')}={_wild(pair['Value'], '[^&]')}" for pair in values
            )
            return _matching(":path", rf"(?i)[^?]*\?(?:.*&)?(?:{pairs})(?:&.*)?")
        case "source-ip":
            return _matching(SOURCE_HEADER, "|".join(map(network, values)))
    raise ValueError(f"{condition.kind} is no condition of a rule")


def _matching(header: str, pattern: str) -> Json:
    return {"name": header, "string_match": {"safe_regex": {"regex": pattern}}}


def _any(values: tuple[str, ...]) -> str:
    return "(?:" + "|".join(_wild(value) for value in values) + ")"


def _wild(value: str, any_character: str = ".") -> str:
    """`*` is any number of characters and `?` one; a backslash takes either's meaning away."""
    written = []
    characters = iter(value)
    for character in characters:
        if character == "\\":
            written.append(re.escape(next(characters, "\\")))
        elif character in "*?":
            written.append(any_character + ("*" if character == "*" else ""))
        else:
            written.append(re.escape(character))
    return "".join(written)


def network(block: str) -> str:
    """An IPv4 network as an expression over dotted addresses; an IPv6 one as its only address, or never."""
    network = ipaddress.ip_network(block, strict=False)
    if network.version == 6:
        return re.escape(str(network.network_address))
    octets = str(network.network_address).split(".")
    whole, bits = divmod(network.prefixlen, 8)
    parts = [re.escape(octet) for octet in octets[:whole]]
    if bits:
        first = int(octets[whole])
        parts.append("(?:" + "|".join(str(value) for value in range(first, first + (1 << (8 - bits)))) + ")")
    parts += ["[0-9]+"] * (4 - len(parts))
    return r"\.".join(parts)


def _act(balancer: Balancer, listener: Listener, action: Action, pace: Pace) -> Json:
    if action.kind == "fixed-response":
        return _fixed(action)
    if action.kind == "redirect":
        return {"redirect": _redirect(listener, action)}
    groups = [(balancer.groups[arn], weight) for arn, weight in action.groups if weight and arn in balancer.groups]
    if not groups:
        # All weights are 0: ALB has nobody to ask either.
        return {"direct_response": {"status": 503}}
    clusters: Json = {"clusters": [_weighted(group, weight, pace) for group, weight in groups]}
    route: Json = {"timeout": "0s", "weighted_clusters": clusters}
    if action.sticky_s is not None:
        clusters["use_hash_policy"] = True
        route["hash_policy"] = [{"cookie": _cookie("AWSALBTG", pace.seconds(action.sticky_s))}]
    return {"route": route}


def _weighted(group: Group, weight: int, pace: Pace) -> Json:
    found: Json = {"name": cluster_of(group), "weight": weight}
    if group.stickiness is not None:
        cookie = _cookie(group.stickiness.cookie, pace.seconds(group.stickiness.seconds))
        found["typed_per_filter_config"] = {
            "envoy.filters.http.stateful_session": {
                "@type": TYPE + "envoy.extensions.filters.http.stateful_session.v3.StatefulSessionPerRoute",
                "stateful_session": {
                    "session_state": {
                        "name": "envoy.http.stateful_session.cookie",
                        "typed_config": {
                            "@type": TYPE + "envoy.extensions.http.stateful_session.cookie.v3.CookieBasedSessionState",
                            "cookie": cookie,
                        },
                    }
                },
            }
        }
    return found


def cluster_of(group: Group) -> str:
    """Its name in Envoy, and in the log: `NAME/ID`."""
    return group.name.partition("/")[2]


def _cookie(name: str, seconds: float) -> Json:
    return {"name": name, "path": "/", "ttl": f"{max(round(seconds), 1)}s"}


def _fixed(action: Action) -> Json:
    body = action.config.get("MessageBody", "")
    return {
        "direct_response": {
            "status": int(action.config["StatusCode"]),
            **({"body": {"inline_string": body}} if body else {}),
        },
        "response_headers_to_add": [_header("content-type", action.config.get("ContentType", "text/plain"))],
    }


def _redirect(listener: Listener, action: Action) -> Json:
    config = action.config
    protocol, port = config.get("Protocol", "#{protocol}"), config.get("Port", "#{port}")
    host, path = config.get("Host", "#{host}"), config.get("Path", "/#{path}")
    query = config.get("Query", "#{query}")
    made: Json = {
        "scheme_redirect": (listener.protocol if protocol == "#{protocol}" else protocol).lower(),
        "port_redirect": reachable_port(listener.port if port == "#{port}" else int(port)),
        "response_code": _STATUS[config["StatusCode"]],
    }
    if host != "#{host}":
        made["host_redirect"] = host
    if "#{path}" not in path:
        made["path_redirect"] = path if query in ("", "#{query}") else f"{path}?{query}"
    elif path != "/#{path}":
        # The other placeholders may stand in a path too; Envoy has no word for them there.
        substitution = path.replace("\\", "\\\\").replace("#{path}", "\\1")
        made["regex_rewrite"] = {"pattern": {"regex": "^/([^?]*)"}, "substitution": substitution}
    if query == "":
        made["strip_query"] = True
    return made


def _header(name: str, value: str, *, append: bool = False) -> Json:
    action = "APPEND_IF_EXISTS_OR_ADD" if append else "OVERWRITE_IF_EXISTS_OR_ADD"
    # A percent sign begins a command of Envoy's, and is none in what others wrote.
    text = value if append else value.replace("%", "%%")
    return {"header": {"key": name, "value": text}, "append_action": action}
