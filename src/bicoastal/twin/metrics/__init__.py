"""CloudWatch's data plane: what is measured, what agents ship, and what alarms make of it.

    series      data points by time, in memory           agent          the CloudWatch agent of an instance
    alarms      what an alarm says of them (pure)        agents         the one thread in which all agents run
    states      M of N, and data that are missing        configuration  the agent's own file
    controller  minute by minute: measure, evaluate      statsd         datagrams to data
    shipping    lines to a log group                     tail           lines of a file that grows and is rotated

Data live in the control plane, which every client publishes to; states are said there, and lead to actions there.
"""
