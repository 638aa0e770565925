// Keeps the head of the page true while a region moves. Without it the page works all the same.
"use strict";
const show = (id, text) => { const place = document.getElementById(id); if (place && place.textContent !== text) place.textContent = text; };
let unreadable = document.querySelector("main [role=alert]") !== null;

async function look() {
  try {
    const answer = await fetch("/api/status", { signal: AbortSignal.timeout(8000) });
    if (!answer.ok) throw new Error(answer.status);
    const status = await answer.json();
    const database = status.database;
    show("region", status.region);
    show("zone", status.availability_zone);
    show("instance", status.instance);
    show("writer", status.writable ? (database && database.writer_region) || "unknown" : "none found");
    show("reading", database ? (database.replica ? "replica" : "primary") : "unreachable");
    show("lag", database && database.lag_s !== null ? `${database.lag_s.toFixed(1)} s` : "unknown");
    show("mode", status.writable ? "Taking orders" : "Read-only");
    document.getElementById("mode").className = `badge ${status.writable ? "good" : "warn"}`;
    const typing = document.querySelector("input[name=item]").value !== "";
    if (unreadable && database && !typing) location.replace("/");
  } catch {
    show("mode", "Not reachable");
    document.getElementById("mode").className = "badge warn";
  }
  setTimeout(look, 2000);
}
setTimeout(look, 2000);
