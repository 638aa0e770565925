"""Application Load Balancers: one Envoy each, with the listeners, rules and target groups that the API has.

desired      what the API says should be, as frozen data
controller   makes it so: the loop's `observe` and `converge`, losses, measurements
balancer     one load balancer: its process, its files, its targets
envoy        the program: where it is, how it is started, what it answers
listeners    listeners and clusters, in Envoy's words; `routes` the rules, `waf` the web ACL, `tls` the policies
health       checks targets as their group declares, and keeps their states
traffic      reads what Envoy logs: CloudWatch's measurements, and ALB's access log (`access`)
"""
