"""User data read as files, units and the agent's configuration."""

import base64
import gzip

from bicoastal.review.model.machine import Machine, machine_of
from tests.support.templates import deployment_of, resource

TEMPLATE = """
  Group: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /app}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        UserData:
          Fn::Base64: !Sub |
            #cloud-config
            packages: [nginx]
            write_files:
              - path: /etc/systemd/system/app.service
                content: |
                  [Service]
                  ExecStart=/opt/app
              - path: /etc/agent.json
                content: |
                  {"metrics": {"metrics_collected": {"mem": {"measurement": ["used_percent"]}}},
                   "logs": {"logs_collected": {"files": {"collect_list": [{"log_group_name": "${Group}"}]}}}}
              - path: /etc/packed
                encoding: gz+b64
                content: PACKED
            runcmd:
              - [systemctl, enable, app]
              - echo done
"""


def read(text: str) -> Machine:
    deployment = deployment_of(text)
    return machine_of(deployment, resource(deployment, "Template"))


def test_cloud_config_is_read_with_names_written_out() -> None:
    packed = base64.b64encode(gzip.compress(b"hello")).decode()
    machine = read(TEMPLATE.replace("PACKED", packed))
    assert machine.unreadable == ""
    assert machine.packages == ("nginx",)
    assert machine.commands == ("systemctl enable app", "echo done")
    assert machine.files["/etc/packed"] == "hello"
    assert list(machine.units) == ["app.service"]
    assert machine.agent["logs"]["logs_collected"]["files"]["collect_list"][0]["log_group_name"] == "/app"


def test_a_shell_script_is_kept_as_text() -> None:
    machine = read("  Template: {Type: X, Properties: {UserData: !Base64 '#!/bin/sh'}}")
    assert machine.commands == ("#!/bin/sh",)


def test_broken_cloud_config_is_said_to_be() -> None:
    machine = read('  Template: {Type: X, Properties: {UserData: !Base64 "#cloud-config\\na: ["}}')
    assert "its cloud-config cannot be read" in machine.unreadable
    assert "no user data" in read("  Template: {Type: X}").unreadable
