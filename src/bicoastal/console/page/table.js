// The picture as a table: for screen readers, for copying, and for who wants every figure.

import { by, h, show } from "./dom.js";
import { alarming, answers, database, latest, regions, role, shortAlarm, state } from "./state.js";
import { UNKNOWN, clock, day, number, percent, seconds } from "./words.js";

const ROWS = [
  ["AWS API", (region) => (answers(region) ? "answers" : `does not answer: ${state.coast[region]?.why ?? "not asked yet"}`)],
  ["Users are sent to", (region) => {
    const found = state.users?.[region];
    return found ? Object.entries(found).map(([to, times]) => `${to} (${times})`).join(", ") || "nowhere known" : UNKNOWN;
  }],
  ["Load balancer", (region, coast) => (coast.balancer ? `${coast.balancer.name}, ${coast.balancer.state}` : UNKNOWN)],
  ["Read gate", (region, coast) => coast.gate ?? UNKNOWN],
  ["Switch", (region, coast) => coast.switch ?? UNKNOWN],
  ["Requests a second", (region) => number(latest(region, "requests"))],
  ["Errors a second", (region) => number(latest(region, "errors"))],
  ["Mean latency", (region) => seconds(latest(region, "latency"))],
  ["Fleet", (region, coast) => (coast.fleet ? `${coast.fleet.in_service.length} in service of ${coast.fleet.desired}, ${coast.fleet.least} to ${coast.fleet.most}` : UNKNOWN)],
  ["Memory of the fleet", (region) => percent(state.figures[region]?.memory)],
  ["Instances", (region, coast) => list(coast.hosts.map((host) =>
    `${host.id} in ${host.zone}: ${host.target ?? "no target"}, ${host.lifecycle || host.state}, CPU ${percent(state.figures[region]?.cpu?.[host.id])}, ${Object.entries(host.tags).map(([key, value]) => `${key}=${value}`).join(" ")}${host.emergency ? `, emergency access by ${host.emergency}` : ""}`))],
  ["Database", (region) => {
    const db = database(region);
    return db ? `${db.id}: ${role(region)}, ${db.status}, writes in ${db.zone}${db.other_zone ? `, standby in ${db.other_zone}` : ""}` : "none";
  }],
  ["Behind the primary", (region) => (role(region) === "replica" ? seconds(latest(region, "lag")) : "it is none's replica")],
  ["WAL", (region) => {
    const kit = state.kit[region]?.kit;
    return kit ? `${role(region) === "replica" ? `received ${kit.received_lsn ?? UNKNOWN}, replayed ${kit.replayed_lsn ?? UNKNOWN}` : `written ${kit.written_lsn ?? UNKNOWN}`} at ${clock(state.kit[region].at)}` : UNKNOWN;
  }],
  ["Epoch", (region) => state.kit[region]?.kit?.epoch ?? UNKNOWN],
  ["Fence", (region) => (state.kit[region]?.kit ? state.kit[region].kit.fence ?? "none" : UNKNOWN)],
  ["Sessions of the database", (region) => number(state.figures[region]?.connections)],
  ["Newest backup", (region) => {
    const known = state.backup[region];
    return known ? (known.at === null ? known.unknown || "none yet" : day(known.at)) : UNKNOWN;
  }],
  ["Alarms", (region, coast) => (coast.alarms ? list(alarming(region).map(shortAlarm)) : UNKNOWN)],
  ["Stacks", (region) => list(Object.entries(state.stacks[region] ?? {}).map(([kind, stack]) => `${kind} ${stack.status}`))],
];

function list(items) {
  return items.length ? h("ul", {}, items.map((item) => h("li", {}, item))) : "none";
}

export function drawTable() {
  if (!by("table-details").open) return;
  const names = regions();
  const key = names.map((region) => [state.coast[region], state.figures[region]?.at, state.kit[region], state.backup[region], state.users, state.stacks[region]]);
  show(by("table"), key, () =>
    h("table", {},
      h("thead", {}, h("tr", {}, h("td", {}), names.map((region) => h("th", { scope: "col" }, region)))),
      h("tbody", {}, ROWS.map(([title, of]) => h("tr", {}, h("th", { scope: "row" }, title),
        names.map((region) => h("td", {}, state.coast[region] ? of(region, state.coast[region]) : UNKNOWN)))))));
}

by("table-details").addEventListener("toggle", drawTable);
