// What the console has told, put together; and what is read from it in more than one place.

export const state = {
  about: null,
  coast: {}, kit: {}, figures: {}, stacks: {}, backup: {},
  checks: null, users: null, standing: null, faults: null,
  operation: null, drill: null, reports: [],
  events: [],
  seen: {}, now: 0, heard: 0, connected: false,
};

const KEPT = 1000;

export function take(parts) {
  for (const [name, data] of Object.entries(parts)) {
    const [section, region] = name.split("/");
    if (region) state[section][region] = data;
    else state[section] = data;
  }
}

export function takeEvents(events) {
  const known = new Set(state.events.slice(-events.length - 50).map((event) => event.id));
  const fresh = events.filter((event) => !known.has(event.id));
  state.events = [...state.events, ...fresh].slice(-KEPT);
  return fresh;
}

// As on a map: the west to the left.
export function regions() {
  const { home, standby } = state.about;
  return home.includes("-west-") || standby.includes("-east-") ? [home, standby] : [standby, home];
}

export const other = (region) => regions().find((name) => name !== region);

export const answers = (region) => state.coast[region]?.answered === true;

// The DB instance that the stack knows, else the one there is.
export function database(region) {
  const all = state.coast[region]?.databases ?? [];
  return all.find((item) => item.current) ?? all[0] ?? null;
}

export function role(region) {
  const found = database(region);
  if (!found) return null;
  return found.source ? "replica" : "primary";
}

export const lost = (region) => state.faults?.lost?.[region] ?? null;

export const cut = () => (state.faults?.partitions ?? []).length > 0 || Object.keys(state.faults?.lost ?? {}).length > 0;

export function latest(region, name) {
  const figures = state.figures[region];
  const points = figures?.series?.[name] ?? [];
  if (!points.length || !answers(region)) return null;
  const [at, value] = points[points.length - 1];
  return state.now - at > 3 * state.about.step_s + 5 ? null : value;
}

export const alarming = (region) =>
  (state.coast[region]?.alarms ?? []).filter((alarm) => alarm.state === "ALARM" && alarm.calls_people);

export const shortAlarm = (alarm) => alarm.name.replace(`${state.about.name}-`, "");

export const primary = () => state.standing?.primary || null;
