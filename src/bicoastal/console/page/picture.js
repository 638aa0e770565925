// Both coasts, drawn as they lie on a map. The width is the page's; letters keep their size.

import { by, s, show } from "./dom.js";
import { alarming, answers, cut, database, latest, lost, other, regions, role, state } from "./state.js";
import { UNKNOWN, clock, count, number, percent, seconds, short } from "./words.js";

const LEAST = 700;
const ROW = { title: 22, users: 38, balancer: 112, fleet: 198, zones: 208 };
const HOST = 40;
const STORE = 54;
const TOP = 22;

export function drawPicture() {
  const box = by("picture");
  const width = Math.max(box.clientWidth, LEAST);
  const names = regions();
  const key = [width, names.map((region) => seen(region)), state.users, state.faults, state.standing?.primary, state.about];
  show(box, key, () => whole(width, names));
  const silent = names.filter((region) => state.coast[region] && !answers(region));
  by("picture-note").textContent = silent.length ? `${silent.join(" and ")}: what was seen last` : state.about.domain;
}

// What of a region is drawn: redrawn when it differs.
function seen(region) {
  const coast = state.coast[region];
  const { at, ...rest } = coast ?? {};
  const figures = state.figures[region];
  const numbers = ["requests", "errors", "latency", "lag"].map((name) => latest(region, name));
  return [rest, state.kit[region], state.backup[region], numbers, figures?.cpu, figures?.memory, figures?.connections,
    coast && !coast.answered ? Math.floor(state.now - at) : 0];
}

function whole(width, names) {
  const gap = Math.min(Math.max(width * 0.13, 96), 150);
  const each = (width - gap) / 2;
  const rows = Math.max(1, ...names.map((region) => Math.max(...zones(region).map((zone) => hosts(region, zone).length))));
  const place = { each, gap, rows, store: ROW.zones + TOP + rows * (HOST + 6) + 4 };
  place.words = place.store + STORE + 28;
  place.height = place.words + 16 + 18 * Math.max(3, ...names.map((region) => 2 + (state.coast[region]?.databases.length ?? 1)));
  const coasts = names.map((region, index) => coastal(region, index * (each + gap), place));
  return s("svg", { width, height: place.height, viewBox: `0 0 ${width} ${place.height}`, role: "img", "aria-label": summary(names) },
    s("defs", {}, marker("arrow", "tip"), marker("arrow-warn", "tip warn"), hatch()),
    ...coasts, between(names, place), ...names.map((region, index) => path(region, names, index, place)));
}

function marker(id, kind) {
  return s("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
    s("path", { d: "M0 0 8 4 0 8Z", class: kind }));
}

const hatch = () => s("pattern", { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
  s("path", { d: "M0 0V6", class: "hatch" }));

const text = (x, y, kind, ...words) => s("text", { x, y, class: kind }, ...words);
const bold = (word, kind = "") => s("tspan", { class: `bold ${kind}` }, word);

function zones(region) {
  const coast = state.coast[region];
  const known = new Set(coast?.balancer?.zones ?? []);
  for (const host of coast?.hosts ?? []) if (host.zone) known.add(host.zone);
  return known.size ? [...known].sort() : [`${region}?`];
}

const hosts = (region, zone) => (state.coast[region]?.hosts ?? []).filter((host) => host.zone === zone);

function coastal(region, x, place) {
  const coast = state.coast[region];
  const silent = coast && !coast.answered;
  const taken = lost(region);
  const kind = silent || taken ? "coast silent" : "coast";
  const head = s("g", {},
    text(x + 2, ROW.title, "region", region, s("tspan", { class: "soft small", dx: 8 }, region === state.about.home ? "home" : "standby")),
    badge(region, x + place.each));
  const frame = s("rect", { x: x + 0.5, y: 30.5, width: place.each - 1, height: place.height - 31, rx: 10, class: "frame" });
  const inside = coast && coast.at
    ? s("g", { class: kind }, balancer(region, x, place), fleet(region, x, place), ...columns(region, x, place), facts(region, x, place))
    : text(x + place.each / 2, 150, "unknown middle", coast ? "it has not answered yet" : "not seen yet");
  return s("g", { class: silent || taken ? "gone" : "" }, head, frame, users(region, x, place), inside,
    silent || taken ? veil(region, x, place, taken) : null);
}

function badge(region, right) {
  const is = role(region);
  const [word, kind] = !answers(region) ? ["no answer", "bad"] : is === null ? ["no database", "unknown"]
    : is === "primary" ? ["primary", region === state.standing?.primary ? "primary" : "warn"] : ["replica", "replica"];
  const wide = word.length * 7 + 18;
  return s("g", { class: `badge ${kind}` },
    s("rect", { x: right - wide - 1, y: 6, width: wide, height: 20, rx: 10 }), text(right - wide / 2 - 1, 20, "middle", word));
}

function veil(region, x, place, taken) {
  const at = state.coast[region]?.at;
  const ago = at ? `seen last ${seconds(Math.max(state.now - at, 0))} ago` : "never seen";
  const words = taken ? (taken === "refuse" ? "taken away: it refuses" : "taken away: it is silent") : "the AWS API does not answer";
  return s("g", { class: "veil" },
    s("rect", { x: x + place.each / 2 - 118, y: ROW.fleet - 14, width: 236, height: 44, rx: 8, class: "plate" }),
    text(x + place.each / 2, ROW.fleet + 4, "middle bold bad", words), text(x + place.each / 2, ROW.fleet + 21, "middle soft small", ago));
}

function users(region, x, place) {
  const found = state.users?.[region] ?? null;
  const wide = Math.min(place.each - 40, 250);
  const left = x + (place.each - wide) / 2;
  return s("g", { class: "users" },
    s("rect", { x: left, y: ROW.users, width: wide, height: 30, rx: 15 }),
    s("circle", { cx: left + 20, cy: ROW.users + 11.5, r: 4, class: "person" }),
    s("path", { d: `M${left + 12} ${ROW.users + 24}c0-9 16-9 16 0z`, class: "person" }),
    text(left + 36, ROW.users + 19, "", `users near ${region}`),
    found === null ? text(x + place.each / 2, ROW.users + 47, "middle unknown small", "where names lead them is unknown") : null);
}

// From users to whom their names lead.
function path(region, names, index, place) {
  const found = state.users?.[region];
  if (!found) return null;
  const all = Object.values(found).reduce((sum, one) => sum + one, 0);
  const x = index * (place.each + place.gap);
  const middle = x + place.each / 2;
  const y = ROW.users + 30;
  if (!all) return text(middle, y + 18, "middle bad bold small", "names lead nowhere");
  return s("g", {}, ...Object.entries(found).map(([to, times]) => {
    const part = times === all ? "" : `${times} of ${all}`;
    if (to === region) {
      return s("g", {}, s("path", { d: `M${middle} ${y}V${ROW.balancer - 1}`, class: "way", "marker-end": "url(#arrow)" }),
        part ? text(middle + 8, y + 26, "small", part) : null);
    }
    const there = names.indexOf(to) * (place.each + place.gap);
    const sign = there > x ? 1 : -1;
    const from = middle + sign * 60;
    const goal = sign > 0 ? there : there + place.each;
    const end = ROW.balancer + 24;
    const half = (from + goal) / 2;
    return s("g", {},
      s("path", { d: `M${from} ${y}C${from} ${end - 14} ${half} ${end} ${goal + sign * 9} ${end}`, class: "way warn", "marker-end": "url(#arrow-warn)" }),
      text(middle - sign * 60, y + 22, "small warn middle", part ? `${part} to ${to}` : `all to ${to}`));
  }));
}

function balancer(region, x, place) {
  const coast = state.coast[region];
  const left = x + 12;
  const wide = place.each - 24;
  const y = ROW.balancer;
  const requests = latest(region, "requests");
  const errors = latest(region, "errors");
  const latency = latest(region, "latency");
  const closed = coast.gate === "closed";
  return s("g", { class: `part ${closed ? "warn" : ""}` },
    s("rect", { x: left, y, width: wide, height: 62, rx: 8 }),
    text(left + 12, y + 19, "", bold("Load balancer"), s("tspan", { class: "soft", dx: 6 }, coast.balancer ? coast.balancer.state : UNKNOWN)),
    text(left + wide - 12, y + 19, "end", s("tspan", { class: closed ? "warn bold" : "soft" }, `gate ${coast.gate ?? UNKNOWN}`)),
    text(left + 12, y + 37, "", bold(number(requests)), s("tspan", { class: "soft" }, requests === null ? " requests" : " requests/s")),
    text(left + wide - 12, y + 37, "end", s("tspan", { class: "soft" }, "switch "), s("tspan", { class: (coast.switch ?? "off") === "off" ? "soft" : "warn bold" }, coast.switch ?? UNKNOWN)),
    text(left + 12, y + 54, "", s("tspan", { class: errors ? "bad bold" : "soft" }, errors === null ? "errors unknown" : `${number(errors)} errors/s`),
      s("tspan", { class: "soft" }, ` · ${latency === null ? "latency unknown" : `${seconds(latency)} mean`}`)));
}

function fleet(region, x) {
  const coast = state.coast[region];
  const memory = answers(region) ? state.figures[region]?.memory : null;
  const words = coast.fleet
    ? `${coast.fleet.in_service.length} of ${coast.fleet.desired} in service (${coast.fleet.least} to ${coast.fleet.most}) · memory ${percent(memory)}`
    : "fleet unknown";
  const short_ = coast.fleet && coast.fleet.in_service.length < coast.fleet.least;
  return text(x + 14, ROW.fleet - 6 + 4, `small ${short_ ? "bad bold" : "soft"}`, words);
}

function columns(region, x, place) {
  const all = zones(region);
  const wide = (place.each - 24 - 8 * (all.length - 1)) / all.length;
  const gone = new Set(state.faults?.zones ?? []);
  return all.map((zone, index) => {
    const left = x + 12 + index * (wide + 8);
    const height = place.store + STORE + 8 - ROW.zones;
    return s("g", { class: gone.has(zone) ? "zone gone" : "zone" },
      s("rect", { x: left, y: ROW.zones, width: wide, height, rx: 7, class: "column" }),
      text(left + 8, ROW.zones + 15, "soft small", wide > 92 ? zone : `zone ${zone.slice(-1)}`),
      ...hosts(region, zone).map((host, row) => instance(region, host, left + 6, ROW.zones + TOP + row * (HOST + 6), wide - 12)),
      ...members(region, zone).map((member) => store(member, left + wide / 2, place.store, Math.min(wide - 20, 88))),
      gone.has(zone) ? s("rect", { x: left, y: ROW.zones, width: wide, height, rx: 7, fill: "url(#hatch)" }) : null);
  });
}

const HEALTH = { healthy: "good", unhealthy: "bad", initial: "wait", draining: "wait" };

function instance(region, host, x, y, wide) {
  const kind = HEALTH[host.target] ?? (host.lifecycle === "InService" ? "unknown" : "wait");
  const cpu = answers(region) ? state.figures[region]?.cpu?.[host.id] ?? null : null;
  const word = kind === "good" ? "" : host.target ?? (host.lifecycle || host.state);
  const bar = wide - 77;
  return s("g", { class: `host ${kind} ${host.emergency ? "open" : ""}` },
    s("title", {}, `${host.id}, ${host.zone}: ${host.state}, ${host.lifecycle}, ${host.target ?? "no target"} ${host.why}`),
    s("rect", { x, y, width: wide, height: HOST, rx: 5 }),
    sign(kind, x + 11, y + 13),
    text(x + 21, y + 17, "small bold", short(host.id)),
    host.emergency ? text(x + wide - 6, y + 17, "end small warn bold", "open") : null,
    word ? text(x + 8, y + 32, "small", word)
      : [text(x + 8, y + 32, "small soft", "CPU"),
        cpu === null ? text(x + 37, y + 32, "small unknown", UNKNOWN)
          : [s("rect", { x: x + 37, y: y + 25, width: bar, height: 6, rx: 3, class: "gauge" }),
            s("rect", { x: x + 37, y: y + 25, width: Math.max((bar * Math.min(cpu, 100)) / 100, 1.5), height: 6, rx: 3, class: cpu > 80 ? "level high" : "level" }),
            text(x + wide - 5, y + 32, "end small", percent(cpu))]]);
}

// A shape for each, so that colour is not all that tells them apart.
function sign(kind, x, y) {
  if (kind === "good") return s("circle", { cx: x, cy: y, r: 4, class: "sign good" });
  if (kind === "bad") return s("path", { d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8`, class: "sign bad cross" });
  return s("circle", { cx: x, cy: y, r: 3.5, class: `sign hollow ${kind}` });
}

function members(region, zone) {
  const db = database(region);
  if (!db) return [];
  const found = [];
  if (db.zone === zone) found.push([db.source ? "replica" : "primary", db]);
  if (db.other_zone === zone) found.push(["standby", db]);
  return found;
}

function store([kind, db], x, y, wide) {
  const half = wide / 2;
  const bad = db.status !== "available";
  return s("g", { class: `store ${kind} ${bad ? "warn" : ""}` },
    s("path", { d: `M${x - half} ${y + 8}V${y + STORE - 10}a${half} 7 0 0 0 ${wide} 0V${y + 8}` }),
    s("ellipse", { cx: x, cy: y + 8, rx: half, ry: 7 }),
    text(x, y + 35, "middle small", kind));
}

function facts(region, x, place) {
  const coast = state.coast[region];
  const db = database(region);
  const kit = state.kit[region];
  const lines = [];
  if (!db) lines.push([bold("no database"), ""]);
  else {
    const name = db.id.replace(`${state.about.name}-`, "");
    const follows = db.source ? `replica${db.replication ? `, ${db.replication}` : ""}` : "primary";
    lines.push([bold(name), ` ${follows} · ${db.status}${db.multi_az ? " · Multi-AZ" : ""}`]);
    lines.push(["", lsn(db, kit)]);
  }
  for (const item of coast.databases.filter((one) => one !== db)) lines.push(["", `${item.id.replace(`${state.about.name}-`, "")}: kept from before, ${item.status}`]);
  lines.push(["", backup(region)]);
  lines.push(["", `${tags(coast, db)} · ${access(coast)}`]);
  return s("g", {}, ...lines.map(([head, rest], row) =>
    text(x + 14, place.words + row * 18, row ? "small" : "", head, s("tspan", { class: "soft" }, rest))));
}

function lsn(db, kit) {
  const known = kit?.kit;
  if (kit === null) return "LSN and epoch unknown";
  if (known?.role === "unreachable") return "LSN and epoch unknown: the kit does not reach the database";
  if (!known) return kit ? "LSN and epoch unknown: the kit does not answer" : "LSN and epoch: being asked";
  const at = db.source ? known.replayed_lsn : known.written_lsn;
  const word = db.source ? "replayed to" : "written to";
  return `${word} ${at ?? UNKNOWN} · epoch ${known.epoch ?? UNKNOWN}${known.fence ? ` · fenced: ${known.fence}` : ""} · ${clock(kit.at)}`;
}

function backup(region) {
  const known = state.backup[region];
  if (!known) return "backup: being asked";
  if (known.at === null) return `backup ${known.unknown ? `unknown: ${known.unknown}` : "none yet"}`;
  return `backup ${clock(known.at)}, ${seconds(Math.max(state.now - known.at, 0))} ago`.replace(/, .* ago/, "");
}

function tags(coast, db) {
  const all = new Set();
  for (const item of [...coast.hosts, ...(db ? [db] : [])]) {
    for (const [key, value] of Object.entries(item.tags)) all.add(key === "cost-center" ? `cost center ${value}` : value);
  }
  return all.size ? [...all].join(", ") : "tags unknown";
}

function access(coast) {
  const open = coast.hosts.filter((host) => host.emergency).length;
  return open ? `emergency access open on ${open}` : "no emergency access";
}

// What joins the coasts: the wire, and who follows whom.
function between(names, place) {
  const [left, right] = names;
  const from = names.find((region) => role(region) === "primary" && region === (state.standing?.primary || region));
  const to = from ? other(from) : null;
  const follower = to ? database(to) : null;
  const follows = Boolean(follower?.source) && answers(to);
  const x = [place.each + 4, place.each + place.gap - 4];
  const y = place.store + 28;
  const middle = place.each + place.gap / 2;
  const broken = cut();
  const lag = to ? latest(to, "lag") : null;
  const ends = from === left ? { "marker-end": "url(#arrow)" } : { "marker-start": "url(#arrow)" };
  const trip = state.about.round_trip_s;
  const words = broken ? ["cut", "bad bold"] : !answers(left) || !answers(right) ? [UNKNOWN, "unknown"]
    : follows ? [lag === null ? "lag unknown" : `${seconds(lag)} behind`, lag !== null && lag > state.about.rpo_s ? "bad bold" : "bold"] : ["no replica", "bad bold"];
  return s("g", { class: "wire" },
    s("path", { d: `M${x[0]} ${y}H${x[1]}`, class: `way ${follows && !broken ? "streams" : "dead"}`, ...(follows && !broken ? ends : {}) }),
    broken ? s("path", { d: `M${middle - 7} ${y - 7}l14 14m0-14l-14 14`, class: "sign bad cross" }) : null,
    text(middle, y - 12, `middle small ${words[1]}`, words[0]),
    text(middle, y + 20, "middle small soft", trip === null ? "wire not measured" : `${seconds(trip)} round trip`));
}

function summary(names) {
  return names.map((region) => {
    const coast = state.coast[region];
    if (!coast?.at) return `${region}: not seen yet`;
    if (!coast.answered) return `${region}: its API does not answer`;
    return `${region}: ${role(region) ?? "no database"}, ${count(coast.fleet?.in_service.length ?? 0, "instance", "instances")} in service, ${count(alarming(region).length, "alarm", "alarms")}`;
  }).join(". ");
}
