"""Networks: routes, groups and what joins them."""
