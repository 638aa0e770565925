"""Load balancers: whether requests reach instances that answer them."""
