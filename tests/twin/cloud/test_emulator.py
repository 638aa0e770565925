"""The contract with ministack: the version that is pinned, and every private name that the twin relies on.

Another version fails here first, and says which name has gone or changed.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bicoastal.twin.cloud.emulator import NAMES

ROOT = Path(__file__).resolve().parents[3]
CLOUD = ROOT / "src" / "bicoastal" / "twin" / "cloud"
FUNCTIONS = {
    "ministack.core.iam_actions.extract_iam_action": "(service, method, path, headers, body, query_params)",
    "ministack.core.iam_actions.extract_resource_arn": (
        "(service, method, path, headers, body, query_params, region, account_id)"
    ),
    "ministack.core.iam_evaluator._gather_role_policies": "(role_name, account_id)",
    "ministack.core.iam_evaluator._permissions_boundary": "(store, name, account_id)",
    "ministack.core.iam_evaluator._resolve_condition_key": "(key, ctx)",
    "ministack.core.iam_evaluator.evaluate": "(ctx, policies, limits)",
    "ministack.core.iam_evaluator.evaluate_resource_policy": "(doc, ctx, service, named_only, direct_only)",
    "ministack.core.iam_evaluator.caller_arn": "()",
    "ministack.core.iam_evaluator.enforce": (
        "(access_key_id, iam_action, service, region, resource_arn, service_context)"
    ),
    "ministack.core.persistence.load_state": "(service)",
    "ministack.core.persistence.save_state": "(service, data)",
    "ministack.core.responses.get_account_id": "()",
    "ministack.core.responses.get_region": "()",
    "ministack.core.responses.set_request_region": "(region)",
    "ministack.services.alb._action_xml": "(a)",
    "ministack.services.alb._condition_xml": "(c)",
    "ministack.services.alb._lb_xml": "(lb)",
    "ministack.services.alb._parse_actions": "(params, prefix)",
    "ministack.services.alb._parse_conditions": "(params, prefix)",
    "ministack.services.alb._target_group_full_name_from_arn": "(arn)",
    "ministack.services.autoscaling._delete_group_hooks": None,
    "ministack.services.autoscaling._delete_group_policies": None,
    "ministack.services.autoscaling._reconcile_instances": "(asg)",
    "ministack.services.cloudformation.engine._resolve_refs": (
        "(value, resources, params, conditions, mappings, stack_name, stack_id)"
    ),
    "ministack.services.cloudformation.handlers._resolve_stack": "(stack_name)",
    "ministack.services.cloudformation.helpers._p": "(params, key, default)",
    "ministack.services.cloudformation.helpers._resolve_document": "(params, body_key, url_key, label)",
    "ministack.services.cloudformation.provisioners._cfn_wait_condition_definition": "(stack_name, logical_id)",
    "ministack.services.cloudformation.provisioners._cw_metric_alarm_record": "(name, props)",
    "ministack.services.cloudformation.provisioners._elbv2_listener_actions": "(props, lb_arn, prop)",
    "ministack.services.cloudformation.provisioners._sm_secret_string": "(props)",
    "ministack.services.cloudformation.stacks._add_event": (
        "(stack_id, stack_name, logical_id, resource_type, status, reason, physical_id, detailed_status)"
    ),
    "ministack.services.cloudformation.stacks._provision_resource": "(resource_type, logical_id, props, stack_name)",
    "ministack.services.cloudformation.stacks._sends_back_failed_update": "(resource_type)",
    "ministack.services.cloudformation.stacks._update_resource": (
        "(resource_type, physical_id, old_props, new_props, stack_name, logical_id, old_attrs)"
    ),
    "ministack.services.ec2._aws_pl_id_from_name": "(prefix_name)",
    "ministack.services.ec2._get_aws_managed_prefix_lists": "()",
    "ministack.services.cloudwatch._calc_stats": "(points)",
    "ministack.services.cloudwatch._cbor_metric_data_result": "(result)",
    "ministack.services.cloudwatch._cbor_ok": "(data)",
    "ministack.services.cloudwatch._dispatch_alarm_actions": "(alarm, old_state, new_state, reason)",
    "ministack.services.cloudwatch._error": "(code, message, status, use_json, use_cbor)",
    "ministack.services.cloudwatch._evaluate_alarm": "(alarm)",
    "ministack.services.cloudwatch._evaluate_all_alarms": "()",
    "ministack.services.cloudwatch._evaluate_parent_alarms": "(child, seen)",
    "ministack.services.cloudwatch._evict_old_metrics": "()",
    "ministack.services.cloudwatch._get_metric_data": "(params, cbor_data, is_cbor, is_json)",
    "ministack.services.cloudwatch._history_entries": "()",
    "ministack.services.cloudwatch._json_ok": "(data)",
    "ministack.services.cloudwatch._parse_ts": "(value)",
    "ministack.services.cloudwatch._put_metric_alarm": "(params, cbor_data, is_cbor, is_json)",
    "ministack.services.cloudwatch._put_metric_data": "(params, cbor_data, is_cbor, is_json)",
    "ministack.services.cloudwatch._record_history": (
        "(alarm_name, old_state, new_state, reason, alarm_type, reason_data)"
    ),
    "ministack.services.cloudwatch._stat_value": "(stats, stat_name, points)",
    "ministack.services.cloudwatch._ts_iso": "(epoch)",
    "ministack.services.cloudwatch_logs._filter_log_events": "(data)",
    "ministack.services.cloudwatch_logs._get_log_events": "(data)",
    "ministack.services.cloudwatch_logs._put_log_events": "(data)",
    "ministack.services.cloudwatch_logs._start_query": "(data)",
    "ministack.services.ec2._put_vpc_peering_record": "(record, default_region)",
    "ministack.services.eventbridge._put_events": "(data, allow_aws_source)",
    "ministack.services.rds._create_snapshot_internal": "(snap_id, instance)",
    "ministack.services.rds._format_time": None,
    "ministack.services.rds._instance_xml": "(i)",
    "ministack.services.rds._snapshot_xml": "(s)",
    "ministack.services.sns.topic_policy_allows": "(topic_arn, service, source_arn, source_account)",
    "ministack.services.route53._build_health_check_el": "(parent, hc)",
    "ministack.services.route53._parse_health_check_config": "(el)",
    "ministack.services.scheduler._tick_schedules": "()",
    "ministack.services.s3._put_bucket_encryption": "(name, body)",
    "ministack.services.s3._put_bucket_lifecycle": "(name, body)",
    "ministack.services.s3._put_bucket_logging": "(name, body)",
    "ministack.services.s3._put_bucket_ownership_controls": "(name, body)",
    "ministack.services.s3._put_bucket_replication": "(bucket_name, body)",
    "ministack.services.s3._put_object_lock_configuration": "(bucket_name, body)",
    "ministack.services.sns.publish_internal": (
        "(topic_arn, message, subject, message_structure, message_attributes, message_group_id,"
        " message_deduplication_id)"
    ),
}
"""Functions that the twin calls or replaces, and what they take; None where only the one positional is relied on."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the installed ministack has, asked in a process of its own, since importing it reads settings."""
    wanted = {**{f"{module}.{name}": None for module, names in NAMES.items() for name in names}, **FUNCTIONS}
    code = f"""
import importlib, inspect, json
found = {{}}
for path in {list(wanted)!r}:
    module, _, name = path.rpartition(".")
    try:
        value = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        continue
    found[path] = list(inspect.signature(value).parameters) if inspect.isfunction(value) else None
print(json.dumps(found))
"""
    folder = tmp_path_factory.mktemp("contract")
    environment = {**os.environ, "STATE_DIR": str(folder), "S3_DATA_DIR": str(folder), "LOG_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    return dict(json.loads(done.stdout))


def test_the_installed_version_is_the_pinned_one() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert f"ministack=={importlib.metadata.version('ministack')}" in extras["twin"]


@pytest.mark.parametrize("path", [f"{module}.{name}" for module, names in NAMES.items() for name in names])
def test_every_private_name_is_there(installed: dict[str, Any], path: str) -> None:
    assert path in installed


@pytest.mark.parametrize("path", FUNCTIONS)
def test_every_function_takes_what_it_took(installed: dict[str, Any], path: str) -> None:
    assert path in installed
    expected = FUNCTIONS[path]
    if expected is None:
        assert len(installed[path]) >= 1
    else:
        assert installed[path] == [name for name in expected.strip("()").split(", ") if name]


def test_no_private_name_is_used_outside_the_list() -> None:
    """Read from the source: what the handlers ask of the boundary is in the lists above."""
    listed = {f"{module.rpartition('.')[2]}.{name}" for module, names in NAMES.items() for name in names}
    listed |= {".".join(path.split(".")[-2:]) for path in FUNCTIONS}
    missing = []
    for file in CLOUD.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="store" | "of_service" | "replace_in_service"),
                    args=[ast.Constant(value=str(service)), ast.Constant(value=str(name)), *_],
                ):
                    if f"{service}.{name}" not in listed:
                        missing.append(f"{file.name}: {service}.{name}")
    assert missing == []


def test_only_the_boundary_imports_ministack() -> None:
    importers = [
        file.name
        for file in CLOUD.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [item.name for item in node.names])
        if name and name.split(".")[0] == "ministack"
    ]
    assert importers == []
    assert inspect.getsource(importlib.import_module("bicoastal.twin.cloud.emulator")).count("importlib.import_module")
