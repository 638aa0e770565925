// What happened, the newest first; the worst of it is spoken. No more rows than a person scrolls.

import { by, h, show } from "./dom.js";
import { state } from "./state.js";
import { clock, count } from "./words.js";

const ROWS = 200;
const SPOKEN_MS = 1500;

export function drawEvents() {
  const events = state.events.slice(-ROWS).reverse();
  show(by("events"), [events.length, events[0]?.id], () =>
    events.length
      ? events.map((event) =>
        h("li", { class: event.kind },
          h("time", { datetime: new Date(event.at * 1000).toISOString() }, clock(event.at)),
          h("span", { class: "where" }, event.region),
          h("span", {}, event.text)))
      : h("li", { class: "soft" }, "Nothing since somebody watches."));
  by("events-note").textContent = state.events.length > ROWS ? `the last ${ROWS} of ${count(state.events.length, "event", "events")}` : "";
}

let waiting = [];
let timer = null;
export function speak(events) {
  waiting.push(...events.filter((event) => event.kind !== "note"));
  if (timer || !waiting.length) return;
  timer = setTimeout(() => {
    by("spoken").textContent = waiting.slice(-5).map((event) => `${event.region} ${event.text}`.trim()).join(". ");
    waiting = [];
    timer = null;
  }, SPOKEN_MS);
}
