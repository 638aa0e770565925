// The page: opens the door, listens, and has each part drawn when something of it is new.

import { by } from "./dom.js";
import { ask, listen } from "./feed.js";
import { seconds } from "./words.js";
import { answers, regions, state, take, takeEvents } from "./state.js";
import { drawPicture } from "./picture.js";
import { drawTable } from "./table.js";
import { drawCharts } from "./charts.js";
import { drawChecks, drawVerdict, drawWrong } from "./panels.js";
import { drawEvents, speak } from "./timeline.js";
import { drawOperation, drawOperationForm } from "./operations.js";
import { drawFaults } from "./faults.js";
import { drawDrill, drawDrillForm, drawReports } from "./drills.js";

const QUIET_S = 4; // without a word from the console

let asked = false;
function draw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    if (!state.about) return;
    by("main").hidden = false;
    document.title = `${state.about.name} · Bicoastal`;
    by("name").textContent = state.about.name;
    by("where").textContent = `${state.about.domain} · ${state.about.where}`;
    for (const part of [drawVerdict, drawPicture, drawTable, drawWrong, drawOperationForm, drawOperation, drawFaults,
      drawCharts, drawChecks, drawEvents, drawDrillForm, drawDrill, drawReports]) part();
    drawLive();
    // When the first picture of both coasts was there, in ms since the page was opened: `bench/console.py` reads it.
    if (!window.bicoastal && regions().every((region) => state.coast[region]?.at)) window.bicoastal = { firstPicture: performance.now() };
  });
}

function drawLive() {
  const quiet = (Date.now() - state.heard) / 1000;
  const good = state.connected && quiet < QUIET_S;
  const live = by("live");
  live.className = `live ${good ? "good" : "bad"}`;
  document.body.classList.toggle("stale", !good && state.heard > 0);
  if (!good) {
    by("live-text").textContent = state.heard ? `no word from the console for ${seconds(quiet)}` : "connecting";
    return;
  }
  const ages = Object.entries(state.seen).filter(([region]) => answers(region)).map(([, at]) => state.now - at);
  const worst = ages.length ? Math.max(...ages, 0) : null;
  by("live-text").textContent = worst === null ? "live" : worst < 6 ? "live" : `live, seen ${seconds(worst)} ago`;
}

function openDoor() {
  by("door").hidden = false;
  by("token").focus();
}

async function enter(token) {
  const error = await ask("/api/session", { token });
  if (error) return error;
  by("door").hidden = true;
  return "";
}

function begin() {
  listen({
    onPicture: (parts) => { take(parts); draw(); },
    onEvents: (events) => { speak(takeEvents(events)); draw(); },
    onTick: ({ now, seen }) => { state.now = now; state.seen = seen; state.heard = Date.now(); draw(); },
    onConnected: (connected) => { state.connected = connected; drawLive(); },
    onToken: openDoor,
  });
}

by("door-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = await enter(by("token").value.trim());
  by("door-error").textContent = error;
  if (!error) begin();
});
by("again").addEventListener("click", () => ask("/api/look"));
addEventListener("resize", draw);
setInterval(drawLive, 1000);

// The token that is in the address, if one is; from here on it is in no history and in no bookmark.
function given() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) history.replaceState(null, "", location.pathname);
  return token;
}

// The printed address opened in a tab that shows this page already: nothing is loaded anew.
addEventListener("hashchange", async () => {
  const token = given();
  if (token && !(await enter(token)) && !state.connected) begin();
});

const token = given();
const error = token ? await enter(token) : "";
if (error) {
  by("door-error").textContent = error;
  openDoor();
} else begin();
