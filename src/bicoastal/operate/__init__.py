"""Failover, switchover, rejoin: what an operator does to a running deployment, in either region.

    observe     what is there now, as one frozen Observation          reads only
    decide      what comes next, by the table in `transitions`        pure
    act         does it, by calls that may be repeated                changes one thing
    walk        row by row, one module for each operation             waits for nothing beside
    journal     what was done, by whom and why                        never read to decide
    ledger      what has to be put back                               written before it is taken
    standing    who is the primary, and what protects it              for `status`

Killed at any point and started again, an operation goes on from what it observes. The path of a failover asks nothing
of the lost region and nothing of Route 53's or IAM's control planes (D4): looks at the lost side run beside it.
"""
