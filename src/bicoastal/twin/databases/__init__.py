"""The databases controller: a DB instance of the API is a PostgreSQL cluster, and what the API says of it is true.

`controller` reads the API and reports to it; `instance` is one DB instance with its standby and its endpoint; `server`
is one PostgreSQL server; `settings` are theirs. It knows RDS and PostgreSQL, and neither the templates nor the spec.
"""
