// What the eye shall go to: how it stands, what is wrong, and the health checks.

import { by, h, show } from "./dom.js";
import { alarming, answers, database, latest, lost, other, regions, role, shortAlarm, state } from "./state.js";
import { UNKNOWN, count, seconds, short } from "./words.js";

export function drawVerdict() {
  const standing = state.standing;
  const element = by("verdict");
  let text = "not known yet";
  let kind = "unknown";
  if (standing) {
    const silent = regions().filter((region) => state.coast[region] && !answers(region));
    const head = standing.primary ? `${standing.primary} is the primary`
      : silent.length ? `${silent.join(" and ")} ${silent.length > 1 ? "do" : "does"} not answer, who is the primary is not clear` : "who is the primary is not clear";
    if (standing.protected === null) text = standing.unknown?.length ? `${head}, whether protected is not known` : `${head}, whether protected is being asked`;
    else if (standing.protected) [text, kind] = [`${head}, protected`, "good"];
    else [text, kind] = [`${head}, unprotected`, "bad"];
  }
  if (element.textContent !== text) element.textContent = text;
  element.className = `verdict ${kind}`;
}

// Each: how bad, where, what, why.
export function wrongs() {
  const found = [];
  const standing = state.standing;
  for (const region of regions()) {
    const coast = state.coast[region];
    if (!coast) continue;
    const taken = lost(region);
    if (taken) found.push(["bad", region, `taken away by hand, ${taken === "refuse" ? "refuses" : "answers nobody"}`, coast.answered ? "" : `seen last ${seconds(state.now - state.seen[region])} ago`]);
    if (!coast.answered) {
      if (!taken) found.push(["bad", region, "the AWS API does not answer", state.seen[region] ? `last seen ${seconds(state.now - state.seen[region])} ago` : coast.why]);
      continue;
    }
    for (const alarm of alarming(region)) found.push(["bad", region, `alarm ${shortAlarm(alarm)}`, alarm.text]);
    for (const host of coast.hosts) {
      if (host.target === "unhealthy") found.push(["bad", region, `instance ${short(host.id)} is unhealthy`, host.why]);
      if (host.emergency) found.push(["warn", region, `emergency access to ${short(host.id)} is open`, host.emergency]);
    }
    const serving = coast.fleet?.in_service.length;
    if (coast.fleet && serving < coast.fleet.least) found.push(["bad", region, `${count(serving, "instance serves", "instances serve")}, not ${coast.fleet.least}`, ""]);
    const db = database(region);
    if (db && db.status !== "available") found.push(["warn", region, `database is ${db.status}`, ""]);
    if (db?.replication && db.replication !== "replicating") found.push(["bad", region, `replication: ${db.replication}`, ""]);
    if (coast.gate === "closed") found.push(["warn", region, "the read gate is closed", "requests are answered 503 with Retry-After"]);
    const kit = state.kit[region];
    if (kit?.kit?.fence) found.push(["bad", region, `the database is fenced (${kit.kit.fence})`, ""]);
    for (const [kind, stack] of Object.entries(state.stacks[region] ?? {})) {
      if (!stack.good) found.push(["warn", region, `stack ${kind}: ${stack.status}`, ""]);
    }
    const lag = role(region) === "replica" ? latest(region, "lag") : null;
    if (lag !== null && lag > state.about.rpo_s) found.push(["bad", region, `${seconds(lag)} behind the primary`, `promised were ${seconds(state.about.rpo_s)}`]);
  }
  for (const zone of state.faults?.zones ?? []) found.push(["bad", "", `${zone} is taken away by hand`, ""]);
  for (const way of state.faults?.partitions ?? []) found.push(["bad", "", `the way from ${way.source} to ${way.destination} is cut by hand`, way.how]);
  for (const [coast, answers_] of Object.entries(state.users ?? {})) {
    if (!answers_) continue;
    const elsewhere = Object.entries(answers_).filter(([region]) => region !== coast);
    const all = Object.values(answers_).reduce((sum, one) => sum + one, 0);
    for (const [region, times] of elsewhere) {
      found.push(["warn", coast, `${times === all ? "users" : `${times} of ${all} users`} are sent to ${region}`, ""]);
    }
    if (!all && answers(other(coast))) found.push(["bad", coast, "names lead users nowhere that is known", ""]);
  }
  for (const check of state.checks?.checks ?? []) {
    if (check.healthy === false && check.kind !== "alarm" && !/Room\d/.test(check.name)) {
      found.push(["bad", "", `health check ${check.name} is unhealthy`, check.asks]);
    }
  }
  if (state.checks && !state.checks.checks) found.push(["warn", "", "Route 53's health checks are not known", "its API does not answer"]);
  for (const why of standing?.protected === false ? standing.why : []) {
    if (!/does not answer|is not clear/.test(why)) found.push(["bad", "", `unprotected: ${why}`, ""]);
  }
  for (const why of standing?.unknown ?? []) found.push(["warn", "", "whether it is protected is not known", why]);
  const silent = (item) => item[2].startsWith("taken away") || item[2] === "the AWS API does not answer";
  return found.sort((one, two) => (one[0] === "bad" ? 0 : 1) - (two[0] === "bad" ? 0 : 1) || (silent(two) ? 1 : 0) - (silent(one) ? 1 : 0));
}

export function drawWrong() {
  const found = wrongs();
  const stops = state.standing?.stops ?? [];
  show(by("wrong"), [found, stops, state.standing?.protected], () => [
    ...found.map(([kind, region, what, why]) =>
      h("li", { class: kind }, h("b", {}, region ? `${region}: ` : "", what), why ? h("span", { class: "soft" }, why) : null)),
    ...(found.length ? [] : [h("li", { class: state.standing ? "good" : "unknown" }, state.standing ? "Nothing that is known." : "Not known yet.")]),
    ...(stops.length && !found.length ? stops.map((stop) => h("li", { class: "warn" }, h("b", {}, "a failover now would be stopped"), h("span", { class: "soft" }, stop))) : []),
  ]);
}

const VERDICTS = new Map([[true, ["good", "healthy"]], [false, ["bad", "unhealthy"]], [null, ["unknown", UNKNOWN]]]);

// Of the slices that spill over: nine checks that say one thing.
const SPILLS = /(Room|Quiet)\d|BelowMaximum/;

export function drawChecks() {
  const { checks, why } = state.checks ?? { checks: null, why: "not asked yet" };
  show(by("checks"), [checks, why], () => {
    if (!checks) return h("p", { class: "unknown" }, `Not known: ${why}`);
    if (!checks.length) return h("p", { class: "soft" }, "There are none.");
    const spills = checks.filter((check) => SPILLS.test(check.name));
    const rooms = spills.filter((check) => /Room/.test(check.name));
    const room = rooms.filter((check) => check.healthy === true).length;
    const open = by("checks").querySelector("details")?.open ?? false;
    return [table(checks.filter((check) => !SPILLS.test(check.name))),
      spills.length ? h("details", { open }, h("summary", { class: room < rooms.length ? "warn" : "" }, `Room for the standby's users: ${room} of ${rooms.length} slices`), table(spills)) : null];
  });
}

function table(checks) {
  return h("table", {},
    h("thead", {}, h("tr", {}, ["State", "Check", "Votes", "Asks"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, checks.map((check) => {
      const [kind, word] = VERDICTS.get(check.healthy);
      return h("tr", { class: kind },
        h("td", { class: "state" }, word),
        h("th", { scope: "row" }, check.name),
        h("td", { class: "number" }, votes(check)),
        h("td", { class: "soft" }, check.asks, check.inverted ? " (inverted)" : ""));
    })));
}

function votes(check) {
  if (!check.votes) return "";
  const [good, all] = check.votes;
  return check.needs === null ? `${good} of ${all}` : `${good} of ${all}, needs ${check.needs}`;
}
