"""Route 53's data plane: health checkers, a DNS server over the zones' records, and a front door for a browser.

From the bottom: `records` and `evaluation` are pure and answer a name from records and health, here and in the control
plane (TestDNSAnswer) alike; `checks` is pure and says what probes and alarms make of a check. `probes` asks an endpoint
once, `checkers` does so again and again; `packets` is the boundary to dnslib, `server` and `resolver` are its two ends.
`reading` asks the API, `controller` holds it all together in one thread, `front` shows a coast to a browser.

It goes on while Route 53's API is lost: what was read last is what is answered, as on AWS.
"""
