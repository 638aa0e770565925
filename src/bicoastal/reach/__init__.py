"""Who can reach whom: a network's state, and whether a connection through it can be.

`model` is the state of the networks of one or more regions, as plain frozen data: it comes from the API's answers
(`described`) or from templates. `paths` evaluates a connection between two ends as AWS's network does, `services` one
to an AWS service. Everything here is pure: nothing is looked up, nothing is kept.
"""
