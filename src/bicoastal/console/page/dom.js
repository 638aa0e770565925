// Elements made in one line. Text is always text: nothing that was observed is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const h = (tag, attributes, ...children) => made(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => made(document.createElementNS(SVG, tag), attributes, children);
export const by = (id) => document.getElementById(id);

// Put children in place of what is there, unless they would look the same: what has the focus keeps it.
const shown = new WeakMap();
export function show(parent, key, make) {
  const text = JSON.stringify(key);
  if (shown.get(parent) === text) return false;
  shown.set(parent, text);
  parent.replaceChildren(...[make()].flat(3).filter(Boolean));
  return true;
}
