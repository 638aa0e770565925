"""The CloudWatch agent's configuration: which metrics and log files leave an instance, and under which names.

Alarms read these metrics by the dimension that is aggregated here: one published under any other dimension leaves
its alarm without data for ever. The agent creates no log group and sets no retention: groups are declared.
"""

from __future__ import annotations

from typing import Any, Final

from bicoastal.blueprint.telemetry import application_log, kit_log, metric_namespace, system_log
from bicoastal.spec.model import Spec

LOG_FOLDER: Final = "/opt/bicoastal/log"
STATSD_ADDRESS: Final = "127.0.0.1:8125"
FLEET_DIMENSION: Final = "AutoScalingGroupName"
MEMORY_METRIC: Final = "mem_used_percent"
DISK_METRIC: Final = "disk_used_percent"
_PERIOD_S: Final = 60


def agent_configuration(spec: Spec) -> dict[str, Any]:
    """The file, where `${aws:...}` is the agent's own placeholder."""
    return {
        "agent": {"metrics_collection_interval": _PERIOD_S},
        "metrics": {
            "namespace": metric_namespace(spec),
            "append_dimensions": {FLEET_DIMENSION: "${aws:AutoScalingGroupName}"},
            "aggregation_dimensions": [[FLEET_DIMENSION]],
            "metrics_collected": {
                "mem": {"measurement": [MEMORY_METRIC]},
                "disk": {"measurement": ["used_percent"], "resources": ["/"], "drop_device": True},
                "statsd": {
                    "service_address": STATSD_ADDRESS,
                    "metrics_collection_interval": 10,
                    "metrics_aggregation_interval": _PERIOD_S,
                },
            },
        },
        "logs": {
            "logs_collected": {
                "files": {
                    "collect_list": [
                        _file(f"{LOG_FOLDER}/application.log", application_log(spec), "{instance_id}"),
                        _file(f"{LOG_FOLDER}/kit.log", kit_log(spec), "{instance_id}"),
                        _file("/var/log/messages", system_log(spec), "{instance_id}/messages"),
                        _file("/var/log/cloud-init-output.log", system_log(spec), "{instance_id}/cloud-init"),
                    ]
                }
            }
        },
    }


def _file(path: str, group: str, stream: str) -> dict[str, str]:
    return {"file_path": path, "log_group_name": group, "log_stream_name": stream}
