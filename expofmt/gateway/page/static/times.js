/** Times, told by how long ago they were, which goes on while the page is open. */

import { element } from "./dom.js";

// The gateway's clock decides, not the browser's.
let ahead = 0;

export function setClock(milliseconds) {
  ahead = milliseconds - Date.now();
}

/** How long ago a time was, or how far ahead it is. */
export function distance(milliseconds, now = Date.now() + ahead) {
  const seconds = Math.round((now - milliseconds) / 1000);
  const size = Math.abs(seconds);
  if (size < 3) return "just now";
  const [step, unit] = size < 90 ? [1, "s"] : size < 5400 ? [60, "min"] : size < 172800 ? [3600, "h"] : [86400, "d"];
  const amount = `${Math.round(size / step).toLocaleString("en")} ${unit}`;
  return seconds > 0 ? `${amount} ago` : `in ${amount}`;
}

/** An element that says how long ago it was, with the exact time (UTC) as its title. */
export function timeElement(milliseconds) {
  const exact = new Date(milliseconds).toISOString();
  return element("time", { datetime: exact, title: exact, "data-ms": milliseconds }, distance(milliseconds));
}

setInterval(() => {
  if (document.hidden) return;
  for (const shown of document.querySelectorAll("time[data-ms]")) {
    const text = distance(Number(shown.dataset.ms));
    if (shown.textContent !== text) shown.textContent = text;
  }
}, 1000);
