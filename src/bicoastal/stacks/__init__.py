"""One stack at a time: what it is, what would change, changing it, watching it, and bringing a broken one back.

Under `deploy` and `operate` alike. Knows CloudFormation's API and no product: neither which stacks there are nor why.
"""
