// What was measured, both coasts in one chart each. A gap is a gap.

import { by, h, s, show } from "./dom.js";
import { latest, regions, role, state } from "./state.js";
import { clock, number, seconds } from "./words.js";

const CHARTS = [
  ["requests", "Requests/s", (value) => number(value)],
  ["errors", "Errors/s", (value) => number(value)],
  ["latency", "Latency", seconds],
  ["lag", "Lag", seconds],
];
const HEIGHT = 96;
const EDGE = { left: 4, right: 4, top: 14, bottom: 18 };

// The primary's own heartbeat is behind nobody.
const has = (name, region) => name !== "lag" || role(region) === "replica";
const color = (region) => (region === state.about.home ? "home" : "standby");

export function drawCharts() {
  const names = regions();
  show(by("legend"), names, () => names.map((region) => h("span", { class: `key ${color(region)}` }, region)));
  const box = by("charts");
  const key = [box.clientWidth, ...names.map((region) => [state.figures[region]?.at, CHARTS.map(([name]) => latest(region, name))])];
  show(box, key, () => CHARTS.map(([name, title, word]) => chart(name, title, word, names, (box.clientWidth || 800))));
}

function chart(name, title, word, names, all) {
  const wide = Math.max(Math.floor(all / (all > 760 ? 4 : 2)) - 14, 160);
  const to = Math.max(...names.map((region) => state.figures[region]?.at ?? 0));
  const from = to - state.about.window_s;
  const series = names.map((region) => (has(name, region) ? state.figures[region]?.series?.[name] ?? [] : []).filter(([at]) => at >= from));
  const most = Math.max(...series.flat().map(([, value]) => value), 0);
  const top = most * 1.1 || 1;
  const x = (at) => EDGE.left + ((at - from) / (to - from || 1)) * (wide - EDGE.left - EDGE.right);
  const y = (value) => HEIGHT - EDGE.bottom - (value / top) * (HEIGHT - EDGE.top - EDGE.bottom);
  const said = names.filter((region) => has(name, region)).map((region) => [region, latest(region, name)]);
  return h("figure", {},
    h("figcaption", {}, h("span", {}, title), said.map(([region, value]) =>
      h("b", { class: value === null ? "unknown" : color(region), title: region }, word(value)))),
    s("svg", { width: wide, height: HEIGHT, viewBox: `0 0 ${wide} ${HEIGHT}`, role: "img", "aria-label": `${title}: ${said.map(([region, value]) => `${region} ${word(value)}`).join(", ")}` },
      s("path", { d: `M${EDGE.left} ${HEIGHT - EDGE.bottom + 0.5}H${wide - EDGE.right}`, class: "axis" }),
      s("path", { d: `M${EDGE.left} ${EDGE.top + 0.5}H${wide - EDGE.right}`, class: "grid" }),
      s("text", { x: wide - EDGE.right, y: EDGE.top - 4, class: "soft small end" }, most ? word(most) : ""),
      to ? [s("text", { x: EDGE.left, y: HEIGHT - 4, class: "soft small" }, clock(from)), s("text", { x: wide - EDGE.right, y: HEIGHT - 4, class: "soft small end" }, clock(to))] : null,
      series.map((points, index) => line(points, x, y, color(names[index])))));
}

function line(points, x, y, kind) {
  const gap = 2.5 * state.about.step_s;
  let d = "";
  let before = null;
  for (const [at, value] of points) {
    d += `${before !== null && at - before <= gap ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    before = at;
  }
  const last = points[points.length - 1];
  return [d ? s("path", { d, class: `line ${kind}` }) : null,
    last ? s("circle", { cx: x(last[0]), cy: y(last[1]), r: 2.4, class: `dot ${kind}` }) : null];
}
