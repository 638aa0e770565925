// The hand on the twin: buttons that take something away, and give it back.

import { by, h, show } from "./dom.js";
import { ask } from "./feed.js";
import { database, lost, regions, role, state } from "./state.js";
import { short } from "./words.js";

let busy = "";

async function act(what, body) {
  busy = what;
  drawFaults();
  const error = await ask("/api/fault", body);
  busy = "";
  by("faults-error").textContent = error;
  drawFaults();
}

export function drawFaults() {
  by("faults-card").hidden = !state.about.twin;
  if (!state.about.twin) return;
  const names = regions();
  const key = [state.faults, busy, names.map((region) => [
    (state.coast[region]?.hosts ?? []).map((host) => host.id), state.coast[region]?.balancer?.zones, database(region)?.id, role(region)])];
  const chosen = [...by("faults").querySelectorAll("select")].map((select) => [select.id, select.value]);
  if (by("faults").contains(document.activeElement) && document.activeElement.tagName === "SELECT") return;
  const focused = by("faults").contains(document.activeElement) ? document.activeElement.dataset.act : null;
  if (!show(by("faults"), key, () => [...names.map(coast), wire(names), all()])) return;
  for (const [id, value] of chosen) {
    const select = by(id);
    if (select && [...select.options].some((option) => option.value === value)) select.value = value;
  }
  if (focused) by("faults").querySelector(`[data-act="${focused}"]`)?.focus();
}

function button(text, body, kind) {
  const name = JSON.stringify(typeof body === "function" ? text : body).replace(/[^a-z0-9-]+/gi, "-");
  return h("button", { type: "button", class: kind, "data-act": name, disabled: Boolean(busy), onclick: () => act(text, typeof body === "function" ? body() : body) }, text);
}

function coast(region) {
  const coast_ = state.coast[region];
  const gone = lost(region);
  const zones = state.faults?.zones ?? [];
  const db = database(region);
  return h("fieldset", {}, h("legend", {}, region),
    h("div", { class: "buttons" },
      gone ? button("Give the region back", { kind: "return-region", region })
        : [button("Lose it: refuses", { kind: "lose-region", region, how: "refuse" }, "harm"),
          button("Lose it: silent", { kind: "lose-region", region, how: "black-hole" }, "harm")]),
    gone ? null : [
      coast_?.hosts?.length ? h("div", { class: "buttons" },
        h("select", { id: `kill-${region}`, "aria-label": `Instance in ${region}` }, coast_.hosts.map((host) => h("option", { value: host.id }, `${short(host.id)} in ${host.zone.slice(-1)}`))),
        button("Kill the instance", () => ({ kind: "kill-instance", region, id: by(`kill-${region}`).value }), "harm")) : null,
      coast_?.balancer ? h("div", { class: "buttons" },
        h("select", { id: `zone-${region}`, "aria-label": `Zone in ${region}` }, coast_.balancer.zones.map((zone) => h("option", {}, zone))),
        button("Lose the zone", () => ({ kind: "lose-zone", region, zone: by(`zone-${region}`).value }), "harm"),
        zones.filter((zone) => zone.startsWith(region)).map((zone) => button(`Give ${zone} back`, { kind: "return-zone", region, zone }))) : null,
      db ? h("div", { class: "buttons" }, button(`Kill ${role(region) === "primary" ? "the database primary" : "the replica's host"}`, { kind: "kill-database", region, id: db.id }, "harm")) : null,
    ]);
}

function wire([region, other]) {
  const cut = (state.faults?.partitions ?? []).length > 0;
  return h("fieldset", {}, h("legend", {}, "The wire between them"),
    h("div", { class: "buttons" },
      cut ? button("Heal it", { kind: "heal", region, other })
        : [button("Cut it: refuses", { kind: "partition", region, other, how: "refuse" }, "harm"),
          button("Cut it: silent", { kind: "partition", region, other, how: "black-hole" }, "harm")]));
}

function all() {
  const standing = state.faults;
  const any = standing && (Object.keys(standing.lost).length || standing.zones.length || standing.partitions.length);
  return h("div", { class: "buttons" }, h("button", { type: "button", class: "strong", "data-act": "undo", disabled: Boolean(busy) || !any, onclick: () => act("undo", { kind: "undo" }) }, "Give everything back"),
    busy ? h("span", { class: "soft", role: "status" }, "at work …") : null);
}
