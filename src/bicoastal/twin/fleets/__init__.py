"""Fleets: an Auto Scaling group's desired capacity is that many instances, spread, registered, healthy and current.

    steps      what a scaling policy makes of a breach (arithmetic; the API's handler calls it too)
    fleet      a group as it is observed: frozen
    balance    which Availability Zone gets an instance, and which instance goes
    decide     what to do next about one group: a pure function of what was observed
    controller reads the API, decides, and tells the API what is so

Instances are launched and ended by the API's own handlers; the room `instances` boots them.
"""
