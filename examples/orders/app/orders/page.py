"""The page, made without a template engine: one dependency less to ship. All that comes from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from .store import DatabaseStatus, Order


@dataclass(frozen=True)
class View:
    """What the head of the page shows."""

    title: str
    region: str
    zone: str
    instance: str
    writable: bool
    database: DatabaseStatus | None


def render(
    view: View, orders: Sequence[Order] | None, *, form_id: str, form: Mapping[str, str], said: str, problem: str
) -> str:
    """The whole document; `orders` None means that they cannot be read."""
    title, item, quantity = escape(view.title), escape(form.get("item", "")), escape(form.get("quantity", "1"))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} · {escape(view.region)}</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
<script src="/live.js" defer></script>
</head>
<body>
<header>
<div class="bar"><h1>{title}</h1>{_badge(view)}</div>
<dl id="where">{_facts(view)}</dl>
</header>
<main>
{_notice(said, problem)}
<section aria-labelledby="new">
<h2 id="new">New order</h2>
<form method="post" action="/orders">
<input type="hidden" name="id" value="{escape(form_id)}">
<label class="wide">Item
<input name="item" required maxlength="200" autocomplete="off" value="{item}"></label>
<label>Quantity
<input name="quantity" type="number" min="1" max="1000" required value="{quantity}"></label>
<button>Store order</button>
</form>
</section>
<section aria-labelledby="latest">
<h2 id="latest">Last orders</h2>
{_table(orders)}
</section>
</main>
<footer>Served by <code>{escape(view.instance)}</code>. The same page is in both regions.</footer>
</body>
</html>
"""


def _badge(view: View) -> str:
    text, kind = ("Taking orders", "good") if view.writable else ("Read-only", "warn")
    return f'<p class="badge {kind}" id="mode" role="status">{text}</p>'


def _facts(view: View) -> str:
    database = view.database
    writer = "none found" if not view.writable else (database and database.writer_region) or "unknown"
    lag = "unknown" if database is None or database.lag_s is None else f"{database.lag_s:.1f} s"
    reading = "unreachable" if database is None else "replica" if database.replica else "primary"
    facts = (
        ("region", "Region", view.region),
        ("zone", "Zone", view.zone),
        ("instance", "Instance", view.instance),
        ("writer", "Writer in", writer),
        ("reading", "Reading from", reading),
        ("lag", "Lag", lag),
    )
    return "".join(f'<div><dt>{name}</dt><dd id="{key}">{escape(value)}</dd></div>' for key, name, value in facts)


def _notice(said: str, problem: str) -> str:
    if problem:
        return f'<p class="notice warn" role="alert">{escape(problem)}</p>'
    return f'<p class="notice good" role="status">{escape(said)}</p>' if said else ""


def _table(orders: Sequence[Order] | None) -> str:
    if orders is None:
        return (
            '<p class="notice warn" role="alert">Orders cannot be read right now. This page tries again by itself.</p>'
        )
    if not orders:
        return '<p class="empty">No order yet. The first one is yours.</p>'
    rows = "".join(
        f'<tr><td class="item">{escape(order.item)}</td><td class="number">{order.quantity}</td>'
        f"<td>{escape(order.region)}</td><td><code>{escape(order.instance)}</code></td>"
        f'<td><time datetime="{order.stored_at.isoformat()}">{order.stored_at:%Y-%m-%d %H:%M:%S %Z}</time></td></tr>'
        for order in orders
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-labelledby="latest"><table><thead><tr>'
        '<th scope="col">Item</th><th scope="col" class="number">Quantity</th><th scope="col">Taken in</th>'
        '<th scope="col">By</th><th scope="col">Stored at</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
