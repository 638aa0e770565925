"""A region's service: what stands between the public name and the application, and the instances that run it.

    service      composes the stack
    balancer     entry, certificate, switch, read gate        firewall     web ACL
    fleet        launch template and Auto Scaling group       user_data    what an instance does at its first boot
    scaling      when the fleet grows and shrinks             capacity     when users go to the other region instead
    alarms       what somebody is told                        log_groups   where instances write

Under `user_data`: `units` (systemd), `agent` (CloudWatch), `kit_configuration`.
"""
