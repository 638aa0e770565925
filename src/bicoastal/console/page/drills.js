// Drills on a twin of their own, and the reports of earlier ones.

import { by, h, show } from "./dom.js";
import { ask } from "./feed.js";
import { state } from "./state.js";
import { day, seconds } from "./words.js";

export function drawDrillForm() {
  const made = show(by("drill-form"), state.about.drills, () => [
    h("label", {}, "Rehearse", h("select", { name: "name", onchange: tell }, state.about.drills.map((one) => h("option", { value: one.name }, one.name)))),
    h("p", { class: "soft", id: "drill-title" }, state.about.drills[0]?.title ?? ""),
    h("div", { class: "pair" },
      h("label", {}, "Pace", h("select", { name: "pace" }, ["fast", "real"].map((pace) => h("option", {}, pace)))),
      h("label", {}, "Seed", h("input", { name: "seed", inputmode: "numeric", pattern: "[0-9]*", placeholder: "any" }))),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "stay" }), "End when it is known what was lost"),
    h("div", { class: "buttons" }, h("button", { type: "submit", class: "strong" }, "Start the drill"), h("button", { type: "button", id: "drill-stop", hidden: true, onclick: stop }, "End it")),
  ]);
  if (made) by("drill-form").addEventListener("submit", (event) => { event.preventDefault(); start(); });
  const runs = state.drill && state.drill.code === null;
  by("drill-stop").hidden = !runs;
  by("drill-form").querySelector("[type=submit]").disabled = Boolean(runs);
}

function tell() {
  const name = by("drill-form").elements.name.value;
  by("drill-title").textContent = state.about.drills.find((one) => one.name === name)?.title ?? "";
}

async function start() {
  const form = by("drill-form").elements;
  const seed = form.seed.value.trim();
  by("drill-error").textContent = await ask("/api/drill", {
    name: form.name.value, pace: form.pace.value, stay: form.stay.checked, seed: seed ? Number(seed) : null,
  });
}

async function stop() {
  by("drill-error").textContent = await ask("/api/drill/stop");
}

export function drawDrill() {
  const now = state.drill;
  const tick = now && now.code === null ? Math.floor(state.now) : 0;
  show(by("drill"), [now, tick], () => {
    if (!now) return null;
    const runs = now.code === null;
    const word = runs ? "runs" : { 0: "held", 1: "broken" }[now.code] ?? `ended with ${now.code}`;
    return [
      h("p", { class: "command" }, h("code", {}, now.name), h("b", { class: runs ? "wait" : now.code === 0 ? "good" : "bad" }, `${word}, ${seconds(Math.max((now.ended ?? state.now) - now.began, 0))}`)),
      h("pre", { tabindex: 0 }, now.lines.slice(-14).join("\n")),
    ];
  });
}

export function drawReports() {
  show(by("reports"), state.reports, () =>
    state.reports.length
      ? h("ul", { class: "reports" }, state.reports.map((report) =>
        h("li", { class: report.verdict === "held" ? "good" : report.verdict ? "bad" : "unknown" },
          h("a", { href: `/reports/${encodeURIComponent(report.file)}`, target: "_blank", rel: "noopener" }, report.title),
          h("span", {}, report.verdict ?? ""), h("time", { class: "soft" }, day(report.at)))))
      : h("p", { class: "soft" }, `None yet. Those of the console, and what \`bicoastal drill --format html -o\` writes there, are opened from ${state.about.reports}.`));
}
