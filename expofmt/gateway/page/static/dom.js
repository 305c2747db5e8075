/** How elements are made: text only ever becomes text, so nothing that was pushed can become markup. */

import { isLong, labelParts, labelText, shortened } from "./text.js";

/**
 * An element with attributes and children.
 *
 * Attributes that are functions are listeners (`onclick`), `true` is an attribute without a value, and those that are
 * false, null or undefined are left out, as are such children. Children that are no nodes become text.
 */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== false && child != null));
  return node;
}

const SHAPES = {
  chevron: "M6 3l5 5-5 5",
  bin: "M2.5 4.5h11M6 4.5V2.5h4v2M4 4.5l.7 9h6.6l.7-9M6.7 7v4M9.3 7v4",
  warning: "M8 1.8l6.8 12.2H1.2zM8 6v4M8 11.9v.4",
};

/** A picture that says nothing that its surroundings do not say in words. */
export function icon(name) {
  const shape = svg("path", {
    d: SHAPES[name],
    fill: "none",
    stroke: "currentColor",
    "stroke-width": 1.6,
    "stroke-linecap": "round",
    "stroke-linejoin": "round",
  });
  return svg("svg", { width: 16, height: 16, viewBox: "0 0 16 16", "aria-hidden": "true" }, shape);
}

/** A text of which, if it is long, the beginning is shown, and the whole when that is pressed. */
export function foldable(text) {
  if (!isLong(text)) return text;
  const size = element("span", { class: "size" }, ` ${text.length.toLocaleString("en")} characters`);
  return element("details", {}, element("summary", {}, shortened(text), size), text);
}

/**
 * Labels as the exposition writes them, each in a box of its own. Long ones are shown as a `whole`, or can be unfolded,
 * or are `cut`, for where there can be nothing to press.
 */
export function labelChips(labels, { whole = false, cut = false } = {}) {
  const chips = labels.map((label) => {
    const text = labelText(label);
    const [name, value] = labelParts(label);
    const parts = whole || !isLong(text) ? [element("b", {}, name), value] : [cut ? shortened(text) : foldable(text)];
    return element("span", { class: label[0] === "job" ? "label job" : "label" }, ...parts);
  });
  return element("span", { class: "labels" }, ...chips);
}

/**
 * Puts what `make` makes of the items into the container, a step at a time: the next when the button `more` comes near
 * the screen, or is pressed. So a list of any length costs what is looked at.
 */
export class GrowingList {
  #container;
  #make;
  #step;
  #items = [];
  #shown = 0;
  more = element("button", { type: "button", class: "more", hidden: true, onclick: () => this.#grow(true) });

  /** The caller puts `more` behind the container. Where `byItself` is false, the list grows by the button only. */
  constructor(container, make, { step, byItself = true }) {
    this.#container = container;
    this.#make = make;
    this.#step = step;
    // Who has the focus on the button is about to press it, and must not find it somewhere else.
    const near = ([entry]) => entry.isIntersecting && document.activeElement !== this.more && this.#grow(false);
    if (byItself) new IntersectionObserver(near, { rootMargin: "300px" }).observe(this.more);
  }

  /** Shows other items, as many as before, or `afresh` as few as at first. What has the focus keeps it. */
  show(items, { afresh = false } = {}) {
    this.#items = items;
    this.#shown = Math.min(items.length, afresh ? this.#step : Math.max(this.#shown, this.#step));
    const nodes = items.slice(0, this.#shown).map(this.#make);
    const wanted = new Set(nodes);
    for (const node of [...this.#container.children]) if (!wanted.has(node)) node.remove();
    const focused = document.activeElement;
    let place = this.#container.firstElementChild;
    for (const node of nodes) {
      if (node === place) place = place.nextElementSibling;
      else this.#container.insertBefore(node, place);
    }
    // A node that is moved loses it.
    if (this.#container.contains(focused)) focused.focus({ preventScroll: true });
    this.#offer();
  }

  /** Grows until the item at the index is there, a step for each frame. */
  async reach(index) {
    while (index >= this.#shown && this.#shown < this.#items.length) {
      this.#grow(false);
      await new Promise(requestAnimationFrame);
    }
  }

  #grow(byHand) {
    const from = this.#shown;
    this.#shown = Math.min(this.#items.length, from + this.#step);
    const nodes = this.#items.slice(from, this.#shown).map(this.#make);
    this.#container.append(...nodes);
    this.#offer();
    if (!byHand) return;
    // Whoever pressed the button goes on with what it brought.
    const next = nodes[0].querySelector("button, summary, a") ?? nodes[0];
    if (next === nodes[0]) next.tabIndex = -1;
    next.focus();
  }

  #offer() {
    const left = this.#items.length - this.#shown;
    this.more.hidden = left === 0;
    this.more.textContent = `Show ${Math.min(this.#step, left)} more of ${left.toLocaleString("en")}`;
  }
}
