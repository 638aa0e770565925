// Figures as people read them. What is not known is said as that.

export const UNKNOWN = "unknown";

export function number(value, digits = 1) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value === 0) return "0";
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) < 1 ? Math.max(digits, 2) : digits);
}

export function seconds(value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (value < 0.9995) return `${Math.round(value * 1000)} ms`;
  if (value < 90) return `${value.toFixed(value < 10 ? 1 : 0)} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  if (value < 129600) return `${Math.round(value / 3600)} h`;
  return `${Math.round(value / 86400)} days`;
}

export const percent = (value) => (value === null || value === undefined ? UNKNOWN : `${Math.round(value)} %`);

export const clock = (at) =>
  new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const day = (at) =>
  new Date(at * 1000).toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export const short = (id) => `…${id.slice(-5)}`;

export const count = (many, one, several) => `${many} ${many === 1 ? one : several}`;
