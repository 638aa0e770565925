"""Experiments on the twin: steady state, fault, operation, measurement, recovery, steady state again, report.

`experiment` runs one that `region_loss` states in sentences. `stage` is the deployment on a twin of its own, `operator`
the person who types commands, `users` the load: processes of their own that ask as browsers do and keep a ledger.
`measure`, `calls` and `audit` make figures of what was recorded, and `report`, `text` and `page` show them.

A drill measures and acts by the AWS API and the public names. Its own hand are the twin's faults, the gateway's record
of calls, and an auditor's look into both databases.
"""
