"""The one typed boundary to ministack: every private name of it that the twin uses is used here, or named in `NAMES`.

ministack is pinned exactly, and a test holds `NAMES` against what is installed, so that another version fails there
before it fails anywhere else. What is here runs inside the server process, on its event loop: a call back to the server
over HTTP would wait for itself, so handlers call services in the process.
"""

from __future__ import annotations

import asyncio
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from bicoastal.twin.cloud import answers

Json = Any
Table = MutableMapping[Any, Json]

NAMES: Mapping[str, tuple[str, ...]] = {
    "ministack.app": ("app", "SERVICE_HANDLERS", "_get_module"),
    "ministack.core.iam_actions": ("extract_iam_action", "extract_resource_arn"),
    "ministack.core.iam_evaluator": (
        "EvalContext",
        "_gather_role_policies",
        "_permissions_boundary",
        "_resolve_condition_key",
        "caller_arn",
        "enforce",
        "evaluate",
        "evaluate_resource_policy",
    ),
    "ministack.core.persistence": ("save_state", "load_state"),
    "ministack.core.responses": (
        "get_account_id",
        "get_region",
        "set_request_region",
        "AccountRegionScopedDict",
        "AccountScopedDict",
    ),
    "ministack.core.router": ("SERVICE_PATTERNS",),
    "ministack.services.cloudformation": ("_stacks", "_change_sets"),
    "ministack.services.cloudformation.changesets": ("_deploy_stack_async", "_resolve_props_for_diff"),
    "ministack.services.cloudformation.drift": ("_DRIFT_READERS",),
    "ministack.services.cloudformation.engine": ("_evaluate_conditions", "_resolve_parameters", "_resolve_refs"),
    "ministack.services.cloudformation.handlers": (
        "_ACTION_HANDLERS",
        "_deploy_stack_async",
        "_resolve_stack",
        "_resolve_template",
        "_roll_back_operation",
    ),
    "ministack.services.cloudformation.helpers": ("_p", "_resolve_document"),
    "ministack.services.cloudformation.stacks": (
        "_provision_resource",
        "_update_resource",
        "_delete_resource",
        "_runs_on_worker_thread",
        "_add_event",
        "_deploy_stack_async",
        "_resolve_stack_outputs",
        "_roll_back_operation",
        "_sends_back_failed_update",
        "_topological_sort",
    ),
    "ministack.services.cloudformation.provisioners": (
        "_RESOURCE_HANDLERS",
        "_REPLACING_PROPERTIES",
        "_CONDITIONALLY_REPLACING_PROPERTIES",
        "_STACK_TAG_PROPERTY",
        "_cfn_wait_condition_definition",
        "_physical_name",
    ),
    "ministack.services.acm": ("_certificates",),
    "ministack.services.alb": (
        "_ACTION_MAP",
        "_lb_attrs",
        "_lbs",
        "_listener_attrs",
        "_listeners",
        "_rules",
        "_tags",
        "_targets",
        "_tg_attrs",
        "_tgs",
    ),
    "ministack.services.autoscaling": ("_asgs", "_policies", "_tags"),
    "ministack.services.backup": ("_plans", "_resolve_resource", "_selections", "_vaults"),
    "ministack.services.cloudtrail": ("_trails", "_trail_tags"),
    "ministack.services.cloudwatch": ("_alarms", "_composite_alarms", "_metrics", "_resource_tags"),
    "ministack.services.cloudwatch_logs": ("_log_groups", "_log_records", "_metric_filters"),
    "ministack.services.ec2": (
        "_ACTION_MAP",
        "_addresses",
        "_flow_logs",
        "_instances",
        "_internet_gateways",
        "_launch_templates",
        "_nat_gateways",
        "_network_acls",
        "_network_interfaces",
        "_route_tables",
        "_security_groups",
        "_subnets",
        "_tags",
        "_volumes",
        "_vpc_endpoints",
        "_vpc_peering",
        "_vpcs",
        "_put_vpc_peering_record",
        "_aws_pl_id_from_name",
        "_get_aws_managed_prefix_lists",
        "_prefix_lists",
        "_ensure_defaults_initialized",
    ),
    "ministack.services.eventbridge": ("_event_buses", "_rules", "_tags"),
    "ministack.services.iam": ("_IAM_HANDLERS", "_instance_profiles", "_mfa_devices", "_policies", "_roles"),
    "ministack.services.kms": ("_aliases", "_keys"),
    "ministack.services.rds": (
        "_ACTION_MAP",
        "_events",
        "_instances",
        "_param_groups",
        "_snapshots",
        "_subnet_groups",
        "_sync_tag_list_to_resource",
        "_tags",
    ),
    "ministack.services.route53": ("_health_checks", "_records", "_tags", "_zones"),
    "ministack.services.s3": (
        "_bucket_encryption",
        "_bucket_lifecycle",
        "_bucket_logging_config",
        "_bucket_object_lock",
        "_bucket_policies",
        "_bucket_replication",
        "_bucket_tags",
        "_buckets",
        "bucket_region",
    ),
    "ministack.services.scheduler": ("_schedule_groups", "_schedules", "_tags"),
    "ministack.services.secretsmanager": ("_secrets",),
    "ministack.services.sns": ("_topics",),
    "ministack.services.ssm": ("_parameters", "_tags"),
    "ministack.services.sts": ("_sessions", "register_session"),
    "ministack.services.tagging": (
        "_COLLECTORS",
        "_GLOBAL_RESOURCE_SERVICES",
        "_REMOVERS",
        "_ResourceNotFound",
        "_WRITERS",
        "_require_resource_scope",
    ),
    "ministack.services.waf": ("_associations", "_ip_sets", "_waf_tags", "_web_acls"),
}
"""Module to the names that the twin relies on."""


_STATE = "bicoastal"
_OURS: dict[str, Table] = {}


def application() -> Any:
    """The ASGI application, with our handlers, checks and actions in place."""
    from bicoastal.twin.cloud.handlers import install  # noqa: PLC0415 - the handlers need this module

    install()
    load()
    return _module("ministack.app").app


def action_of(
    service: str, method: str, path: str, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
) -> str:
    """The action that a request asks, by IAM's name for it; `unknown` where it has none."""
    found = iam_action_of(service, method, path, headers=headers, body=body, query=query)
    return found.partition(":")[2] or "unknown"


def iam_action_of(
    service: str, method: str, path: str, *, headers: Mapping[str, str], body: bytes, query: Mapping[str, list[str]]
) -> str:
    """The same with IAM's name of the service: `ssm:GetDocument`; empty where it has none."""
    found = _module("ministack.core.iam_actions").extract_iam_action(service, method, path, headers, body, query)
    return str(found or "")


def resource_finder() -> Callable[..., Any]:
    """What says which resource a call is about."""
    found: Callable[..., Any] = _module("ministack.core.iam_actions").extract_resource_arn
    return found


def enforcer() -> Callable[..., Any]:
    """What evaluates a caller's policies; None is yes."""
    found: Callable[..., Any] = _module("ministack.core.iam_evaluator").enforce
    return found


def replace_evaluation(find: Callable[..., Any], enforce: Callable[..., Any]) -> None:
    """Put ours in the place of both, which ministack looks up at every call."""
    _module("ministack.core.iam_actions").extract_resource_arn = find
    _module("ministack.core.iam_evaluator").enforce = enforce


def replace_condition_keys(resolve: Callable[[Callable[..., Any], str, Any], Any]) -> None:
    """Ask ours for what a condition key holds; it is given ministack's, the key and the request's context."""
    module = _module("ministack.core.iam_evaluator")
    inner = module._resolve_condition_key
    module._resolve_condition_key = lambda key, context: resolve(inner, key, context)


def role_may(role: str, action: str, resource: str, keys: Mapping[str, Any]) -> bool:
    """Whether a role's policies, within its boundary, allow what a service does for it without a call."""
    module, name = _module("ministack.core.iam_evaluator"), role.rpartition("/")[2]
    policies = module._gather_role_policies(name, account())
    limits = module._permissions_boundary(store("iam", "_roles"), name, account())
    return bool(module.evaluate(_context(role, action, resource, keys), policies, *limits).decision == "Allow")


def denied_by(policy: Any, role: str, action: str, resource: str, keys: Mapping[str, Any]) -> bool:
    """Whether a resource's own policy denies that to a role."""
    context = _context(role, action, resource, keys)
    found = _module("ministack.core.iam_evaluator").evaluate_resource_policy(policy, context)
    return bool(found.decision == "Deny")


def _context(role: str, action: str, resource: str, keys: Mapping[str, Any]) -> Any:
    return _module("ministack.core.iam_evaluator").EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account(),
        action=action,
        resource_arn=resource,
        region=region(),
        service_context={name.lower(): value for name, value in keys.items()},
    )


def caller() -> str:
    """The ARN of who makes the request that is being answered."""
    return str(_module("ministack.core.iam_evaluator").caller_arn())


def region() -> str:
    """The region in which the request, or the stack, is."""
    return str(_module("ministack.core.responses").get_region())


def account() -> str:
    """The account that asks."""
    return str(_module("ministack.core.responses").get_account_id())


@contextmanager
def in_region(name: str) -> Iterator[None]:
    """Act in another region, as a service does for a resource that has two sides."""
    responses = _module("ministack.core.responses")
    before = responses.get_region()
    responses.set_request_region(name)
    try:
        yield
    finally:
        responses.set_request_region(before)


def store(service: str, name: str) -> Table:
    """A service's own table of resources, as seen from the region and account of the request."""
    found: Table = getattr(_module(f"ministack.services.{service}"), name)
    return found


def of_service(service: str, name: str) -> Any:
    """A private function of a service."""
    return getattr(_module(f"ministack.services.{service}"), name)


def replace_in_service(service: str, name: str, new: Callable[..., Any]) -> None:
    """Put a function of ours in the place of a private one, which it may call."""
    module = _module(f"ministack.services.{service}")
    if not hasattr(module, name):
        raise AttributeError(f"ministack's {service} has no {name}")
    setattr(module, name, new)


def provisioners() -> Any:
    """CloudFormation's resource types: how each is made, tagged and replaced."""
    return _module("ministack.services.cloudformation.provisioners")


def stacks() -> Any:
    """CloudFormation's operations on stacks, which call the former."""
    return _module("ministack.services.cloudformation.stacks")


def cloudformation(part: str) -> Any:
    """A module of CloudFormation's engine."""
    return _module(f"ministack.services.cloudformation.{part}")


def service_handlers() -> MutableMapping[str, Callable[..., Any]]:
    """Service to what answers its requests."""
    found: MutableMapping[str, Callable[..., Any]] = _module("ministack.app").SERVICE_HANDLERS
    return found


def new_service(name: str, target: str, namespace: str, handler: Callable[..., Any]) -> None:
    """Make a service of the JSON protocol known, which is asked by this prefix of X-Amz-Target."""
    _module("ministack.core.router").SERVICE_PATTERNS[name] = {"target_prefixes": [target]}
    _module("ministack.core.iam_actions").SERVICE_TO_IAM_NAMESPACE[name] = namespace
    service_handlers()[name] = handler


def new_table(name: str, *, regional: bool = True) -> Table:
    """A table like the services' own, for resources that ministack has no place for."""
    responses = _module("ministack.core.responses")
    made: Table = (responses.AccountRegionScopedDict if regional else responses.AccountScopedDict)()
    _OURS[name] = made
    return made


def load() -> None:
    """Find what `save` kept in an earlier process."""
    for name, kept in (_module("ministack.core.persistence").load_state(_STATE) or {}).items():
        if name in _OURS:
            _OURS[name].update(kept)


async def stacks_settled() -> None:
    """Wait until no stack of any region is in progress."""
    table = of_service("cloudformation", "_stacks")
    while any(stack.get("StackStatus", "").endswith("_IN_PROGRESS") and "REVIEW" not in stack["StackStatus"]
              for stack in list(table._data.values())):  # fmt: skip
        await asyncio.sleep(0.05)


def save() -> None:
    """Keep our own tables where ministack keeps its."""
    _module("ministack.core.persistence").save_state(_STATE, dict(_OURS))


def physical_name(stack: str, logical_id: str, **limits: Any) -> str:
    """The name that CloudFormation makes for a resource that has none."""
    return str(_module("ministack.services.cloudformation.provisioners")._physical_name(stack, logical_id, **limits))


def query(service: str, action: str, **parameters: Json) -> None:
    """Call an action of a service of the query protocol in the process. Raises ServiceError as the service answers."""
    handler = of_service(service, "_ACTION_MAP")[action]
    status, _, body = handler(answers.flatten(parameters, "" if service == "ec2" else "member"))
    answers.refuse(status, body)


def call(service: str, target: str, data: Json) -> Json:
    """Call an action of a service of the JSON protocol in the process. Raises ServiceError as the service answers."""
    body = json.dumps(data).encode()
    return answers.read_json(*_now(_handler(service)("POST", "/", {"x-amz-target": target}, body, {})))


def _handler(service: str) -> Callable[..., Any]:
    handler: Callable[..., Any] = _module(f"ministack.services.{service}").handle_request
    return handler


def _now(coroutine: Any) -> tuple[int, Mapping[str, str], bytes]:
    """Run a handler that never waits to its end, here: the event loop is busy with us."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        status, headers, body = end.value
        return status, headers, body if isinstance(body, bytes) else str(body).encode()
    coroutine.close()
    raise RuntimeError("a service's handler waited for something: call it from a worker thread")


@lru_cache(maxsize=64)
def _module(name: str) -> Any:
    if name.startswith("ministack.services.") and name.count(".") == 2:
        # Through its own loader, so that it knows the module and saves its state.
        return importlib.import_module("ministack.app")._get_module(name.rpartition(".")[2])
    return importlib.import_module(name)
