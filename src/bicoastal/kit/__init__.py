"""What runs on the instances, beside any application: heartbeat, metrics, closed gate, fence.

It imports nothing of the rest of the package, and of others only `pg8000` and `dnslib`: it must stay small (30 MB) and
installable by unpacking one archive. It knows no AWS library; the few calls it needs go through the `aws` command.

From the bottom: `errors`, `config`; then `aws_cli`, `metadata`, `database`, `witness`, `metrics` and `gate`, each a
door to one thing outside; `observation` looks, `fence` decides and touches nothing; `daemon`, `commands`, `status`,
`bootstrap`, `fetch`, `environment` and `health` are the verbs over them, and `__main__` chooses one.
"""
