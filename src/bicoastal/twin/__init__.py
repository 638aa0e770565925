"""The twin: a stand-in for two AWS regions on one machine, with real databases, balancers and servers behind it.

It knows the AWS API and nothing else: nobody hands it the spec or the templates. It runs what that API was told.
"""
