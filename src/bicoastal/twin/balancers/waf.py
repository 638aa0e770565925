"""A web ACL as Envoy's filters, as far as it is plain.

That is to allow and to block by path, query, method, header and address, and to limit rates by address. What AWS
keeps to itself, its managed rule groups, is not run, and neither is a rule that has anything else in it: a request
passes as if that rule did not match. A rule that allows ends the evaluation, as WAF's do, so each later rule holds only
where no earlier one allowed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from bicoastal.twin.balancers.desired import Balancer
from bicoastal.twin.balancers.routes import SOURCE_HEADER, TYPE, network
from bicoastal.twin.pace import Pace

Json = Any

_WINDOW_S = 300
_ADDRESSES = 20_000
"""Whose rates are kept at once."""
_BLOCKED = 403
_FIELDS = {"UriPath": ":path", "Method": ":method", "QueryString": ":path"}


def filters(balancer: Balancer, pace: Pace) -> list[Json]:
    """Nothing where there is no web ACL, or nothing in it that is run."""
    if balancer.web_acl is None:
        return []
    allowed: list[Json] = []
    denied: dict[str, Json] = {}
    rates: list[Json] = []
    for rule in sorted(balancer.web_acl["Rules"], key=lambda item: int(item["Priority"])):
        action = next(iter(rule.get("Action") or {"None": {}}))
        rate = rule["Statement"].get("RateBasedStatement")
        if rate is not None and action == "Block":
            rates += _rate(rule, rate, allowed, balancer, pace)
            continue
        found = _expression(rule["Statement"], balancer.address_sets)
        if found is None:
            continue
        if action == "Allow":
            allowed.append(found)
        elif action == "Block":
            denied[rule["Name"]] = _all([found, *({"not_rule": item} for item in allowed)])
    if "Block" in balancer.web_acl.get("DefaultAction", {}):
        denied["default"] = _all([{"any": True}, *({"not_rule": item} for item in allowed)])
    return [*([_deny(denied)] if denied else []), *rates]


def _deny(denied: Mapping[str, Json]) -> Json:
    policies = {name: {"permissions": [rule], "principals": [{"any": True}]} for name, rule in denied.items()}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": TYPE + "envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": {"action": "DENY", "policies": policies},
        },
    }


def _rate(rule: Json, rate: Json, allowed: list[Json], balancer: Balancer, pace: Pace) -> list[Json]:
    """A bucket for each address that holds the limit and fills once in each window.

    WAF's window slides; what it blocks it lets through again when the rate has fallen, which is about the same.
    """
    scope = rate.get("ScopeDownStatement")
    inside = _expression(scope, balancer.address_sets) if scope else {"any": True}
    if rate.get("AggregateKeyType", "IP") != "IP" or inside is None:
        return []
    actions: list[Json] = [{"remote_address": {}}]
    for number, (expression, matches) in enumerate([*((item, False) for item in allowed), (inside, True)]):
        headers = _headers(expression)
        if headers is None:
            return []
        if headers:
            chosen = {"descriptor_value": str(number), "expect_match": matches, "headers": headers}
            actions.append({"header_value_match": chosen})
    entries = [{"key": "remote_address"}]
    entries += [
        {"key": "header_match", "value": item["header_value_match"]["descriptor_value"]} for item in actions[1:]
    ]
    limit, window = int(rate["Limit"]), pace.seconds(float(rate.get("EvaluationWindowSec", _WINDOW_S)))
    status = rule["Action"]["Block"].get("CustomResponse", {}).get("ResponseCode", _BLOCKED)
    everything = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return [
        {
            "name": "envoy.filters.http.local_ratelimit",
            "typed_config": {
                "@type": TYPE + "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                "stat_prefix": "waf",
                "status": {"code": int(status)},
                "filter_enabled": everything,
                "filter_enforced": everything,
                "token_bucket": {"max_tokens": 1 << 30, "tokens_per_fill": 1 << 30, "fill_interval": "1s"},
                "max_dynamic_descriptors": _ADDRESSES,
                "descriptors": [{"entries": entries, "token_bucket": _bucket(limit, window)}],
                "rate_limits": [{"actions": actions}],
            },
        }
    ]


def _bucket(limit: int, window_s: float) -> Json:
    return {"max_tokens": limit, "tokens_per_fill": limit, "fill_interval": f"{max(window_s, 0.1):.3f}s"}


def _headers(expression: Json) -> list[Json] | None:
    """An expression that is headers and nothing but `and`; None for another."""
    if expression == {"any": True}:
        return []
    if "header" in expression:
        return [expression["header"]]
    if "not_rule" in expression and "header" in expression["not_rule"]:
        header = expression["not_rule"]["header"]
        return [{**header, "invert_match": not header.get("invert_match", False)}]
    found: list[Json] = []
    for item in expression.get("and_rules", {}).get("rules", [None]):
        headers = None if item is None else _headers(item)
        if headers is None:
            return None
        found += headers
    return found


def _expression(statement: Json, sets: Mapping[str, tuple[str, ...]]) -> Json | None:
    """A statement in the words of RBAC's permissions; None for one that is not run."""
    ((kind, body),) = statement.items()
    if kind in ("AndStatement", "OrStatement"):
        parts = [_expression(item, sets) for item in body["Statements"]]
        if None in parts:
            return None
        return _all(parts) if kind == "AndStatement" else {"or_rules": {"rules": parts}}
    if kind == "NotStatement":
        inner = _expression(body["Statement"], sets)
        return None if inner is None else {"not_rule": inner}
    if kind == "IPSetReferenceStatement" and "IPSetForwardedIPConfig" not in body:
        blocks = sets.get(body["ARN"], ())
        return _header(SOURCE_HEADER, "|".join(map(network, blocks)) or "none")
    return _bytes(body) if kind == "ByteMatchStatement" else _size(body) if kind == "SizeConstraintStatement" else None


def _size(body: Json) -> Json | None:
    """That there is no query; no other size is run."""
    empty = (body["ComparisonOperator"], int(body["Size"])) == ("EQ", 0)
    return _header(":path", r"[^?]*\??") if empty and "QueryString" in body["FieldToMatch"] else None


def _bytes(body: Json) -> Json | None:
    transformations = {item["Type"] for item in body.get("TextTransformations", ())}
    if transformations - {"NONE", "LOWERCASE"}:
        return None
    ((field, options),) = body["FieldToMatch"].items()
    name = options["Name"].lower() if field == "SingleHeader" else _FIELDS.get(field)
    if name is None:
        return None
    # The API keeps search strings in base64.
    text = re.escape(base64.b64decode(body["SearchString"]).decode(errors="replace"))
    placed = {"EXACTLY": text, "STARTS_WITH": f"{text}.*", "ENDS_WITH": f".*{text}", "CONTAINS": f".*{text}.*"}
    pattern = placed.get(body["PositionalConstraint"])
    if pattern is None:
        return None
    if field == "UriPath":
        pattern = f"(?:{pattern.replace('.*', '[^?]*')})" + r"(?:\?.*)?"
    elif field == "QueryString":
        pattern = rf"[^?]*\?(?:{pattern})"
    return _header(name, ("(?i)" if "LOWERCASE" in transformations else "") + pattern)


def _header(name: str, pattern: str) -> Json:
    return {"header": {"name": name, "string_match": {"safe_regex": {"regex": pattern}}}}


def _all(rules: list[Json]) -> Json:
    return rules[0] if len(rules) == 1 else {"and_rules": {"rules": rules}}
