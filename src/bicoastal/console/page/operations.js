// Failover, switchover, rejoin: asked for here, done by the same command as in a terminal, followed row by row.

import { by, h, show } from "./dom.js";
import { ask } from "./feed.js";
import { answers, other, primary, state } from "./state.js";
import { seconds } from "./words.js";

const WORDS = {
  failover: "Fail over: the other region is lost",
  switchover: "Switch over: both are there, nothing is lost",
  rejoin: "Rejoin: the side that was lost becomes a replica",
};

export function drawOperationForm() {
  const about = state.about;
  const made = show(by("operation-form"), [about.name, about.verbs], () => [
    h("label", {}, "Operation", h("select", { name: "verb", onchange: fit }, about.verbs.map((verb) => h("option", { value: verb }, WORDS[verb])))),
    h("label", { class: "to" }, "To", h("select", { name: "region" }, [about.home, about.standby].map((name) => h("option", {}, name)))),
    about.force ? h("label", { class: "force" }, "Override the guard, because", h("input", { name: "reason", autocomplete: "off", placeholder: "leave empty: the guard decides" })) : null,
    about.typed ? h("label", {}, `Type ${about.name} to confirm`, h("input", { name: "typed", autocomplete: "off", spellcheck: "false" })) : null,
    h("div", { class: "buttons" },
      h("button", { type: "button", onclick: () => start(true) }, "Show the plan"),
      h("button", { type: "submit", class: "strong" }, "Start"),
      h("button", { type: "button", id: "operation-stop", hidden: true, onclick: stop }, "Interrupt")),
  ]);
  if (made) by("operation-form").addEventListener("submit", (event) => { event.preventDefault(); start(false); });
  const form = by("operation-form").elements;
  // Until somebody chooses: the region that is not the primary, or the only one that answers.
  const there = [about.standby, about.home].filter(answers);
  const goal = primary() ? other(primary()) : there[0] ?? about.standby;
  if (form.region.dataset.set !== goal) form.region.value = form.region.dataset.set = goal;
  fit();
  const runs = state.operation && state.operation.code === null;
  by("operation-stop").hidden = !runs;
  for (const button of by("operation-form").querySelectorAll("button")) if (button.id !== "operation-stop") button.disabled = Boolean(runs);
}

function fit() {
  const form = by("operation-form");
  const verb = form.elements.verb.value;
  form.querySelector(".to").hidden = verb === "rejoin";
  const force = form.querySelector(".force");
  if (force) force.hidden = verb !== "failover";
}

async function start(plan) {
  const form = by("operation-form").elements;
  by("operation-error").textContent = await ask("/api/operation", {
    verb: form.verb.value,
    region: form.region.value,
    reason: form.verb.value === "failover" ? form.reason?.value ?? "" : "",
    typed: form.typed?.value ?? "",
    plan,
  });
}

async function stop() {
  by("operation-error").textContent = await ask("/api/operation/stop");
}

export function drawOperation() {
  const now = state.operation;
  const tick = now && now.code === null ? Math.floor(state.now) : 0;
  show(by("operation"), [now, tick], () => {
    if (!now) return null;
    const runs = now.code === null;
    const end = now.ended ?? state.now;
    const word = runs ? "runs" : now.code === 0 ? "done" : now.code === 1 ? "refused" : `ended with ${now.code}`;
    const kind = runs ? "wait" : now.code === 0 ? "good" : "bad";
    return [
      h("p", { class: "command" }, h("code", {}, now.text), h("b", { class: kind }, `${word}${now.plan ? "" : `, ${seconds(Math.max(end - now.began, 0))}`}`)),
      now.plan ? null : h("ol", { class: "steps" }, now.rows.map((row) => step(row, now, runs))),
      now.lines.length ? h("details", { open: now.plan || (!runs && now.code !== 0) }, h("summary", {}, "What it says"), h("pre", { tabindex: 0 }, now.lines.join("\n"))) : null,
    ];
  });
}

function step(row, now, runs) {
  const done = row.ended !== null;
  const going = row.began !== null && !done;
  const kind = done ? "good" : going ? (runs ? "wait" : "bad") : "later";
  const took = done ? seconds(row.ended - row.began) : going && runs ? `${seconds(Math.max(state.now - row.began, 0))} …` : going ? "stopped here" : "";
  return h("li", { class: kind, title: row.comment },
    h("span", { class: "what" }, row.step), row.reversible ? null : h("span", { class: "soft back" }, "no way back"), h("span", { class: "took" }, took));
}
