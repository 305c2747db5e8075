/** What an open group shows: its times, and its families with their values. */

import { familyUrl } from "./api.js";
import { histogramChart, summaryChart } from "./charts.js";
import { element, foldable, GrowingList, icon, labelChips } from "./dom.js";
import { brief, counted, number, plain } from "./numbers.js";
import { isLong, shortened, visible } from "./text.js";
import { timeElement } from "./times.js";

// So many lines are seen at once; families beyond that wait to be opened.
const OPEN_ROWS = 60;

/** Fills the container with a group as the gateway told of it. Families that were open, or had the focus, do again. */
export function showGroup(container, group) {
  const before = new Map(
    [...container.querySelectorAll("details.family")].map((node) => [node.dataset.name, node.open]),
  );
  const focused = document.activeElement?.closest?.("details.family");
  const returning = focused && container.contains(focused) ? focused.dataset.name : null;
  let rows = 0;
  const open = new Set();
  for (const { name, metrics } of group.families) {
    rows += metrics.length;
    if (before.get(name) ?? rows <= OPEN_ROWS) open.add(name);
  }
  const families = element("div");
  const list = new GrowingList(families, (family) => familyElement(family, open.has(family.name)), { step: 100 });
  container.replaceChildren(facts(group), families, list.more);
  list.show(group.families);
  if (returning) container.querySelector(`details[data-name="${CSS.escape(returning)}"] > summary`)?.focus();
}

function facts({ pushed, failed, expires, families }) {
  const fact = (text, time) => time > 0 && element("span", {}, `${text} `, timeElement(time));
  return element(
    "p",
    { class: "facts" },
    pushed ? fact("Last push", pushed) : "Never pushed",
    fact("Last refused push", failed),
    fact("Expires", expires),
    families.length === 0 && "No metrics",
  );
}

function familyElement(family, open) {
  const { name, type, metrics, more } = family;
  const single = metrics.length === 1 && more === 0 && !metrics[0].points && metrics[0].labels.length === 0;
  // The head of what can be opened is pressed as a whole; the body then has what is too long for it.
  const fitted = single ? foldable : shortened;
  const title = element(
    "h3",
    { class: "family-name" },
    fitted(visible(name)),
    element("span", { class: "type" }, type),
  );
  const help = family.help && element("p", { class: "help" }, fitted(visible(family.help)));
  if (help && isLong(visible(family.help))) help.classList.add("cut");
  if (single) {
    const head = element(
      "div",
      { class: "family-head" },
      element("span"),
      title,
      valueElement("div", name, metrics[0].value),
      help,
    );
    return element("div", { class: "family", "data-name": name }, head);
  }
  const size = element("span", { class: "size" }, told(family));
  const details = element(
    "details",
    { class: "family", "data-name": name },
    element("summary", { class: "family-head" }, icon("chevron"), title, size, help),
  );
  // What nobody looks at is not made.
  const make = () => details.open && details.childElementCount === 1 && details.append(familyBody(family));
  details.addEventListener("toggle", make);
  details.open = open;
  make();
  return details;
}

/** How many metrics there are; of those that have several lines, the gateway counts only the lines not shown. */
function told({ type, metrics, more }) {
  if (!isComposite(type)) return counted(metrics.length + more, "metric");
  return counted(metrics.length, "metric") + (more ? ` and ${counted(more, "line")} of more` : "");
}

function isComposite(type) {
  return type.endsWith("histogram") || type === "summary";
}

function familyBody({ name, type, help, metrics, more }) {
  const long = [name, help].map(visible).filter(isLong);
  const body = element("div", { class: "family-body" }, ...long.map((text) => element("p", { class: "whole" }, text)));
  const composite = isComposite(type);
  const items = composite ? element("div") : element("tbody");
  const make = composite ? (metric) => compositeElement(type, metric) : (metric) => rowElement(name, metric);
  const list = new GrowingList(items, make, { step: composite ? 20 : 100, byItself: false });
  list.show(metrics);
  const frame = composite ? items : tableElement(["Labels", "Value"], items);
  if (metrics.length) body.append(frame, list.more);
  if (more) {
    const link = element("a", { href: familyUrl(name) }, "all of this family, of all groups");
    body.append(element("p", { class: "size" }, `${counted(more, "more line")} of this family not shown: `, link));
  }
  return body;
}

function tableElement(columns, body) {
  const head = element("tr", {}, ...columns.map((column) => element("th", { scope: "col" }, column)));
  return element("table", {}, element("thead", {}, head), body);
}

function rowElement(name, { labels, value }) {
  return element("tr", {}, element("td", {}, labelsOrNone(labels)), valueElement("td", name, value));
}

function labelsOrNone(labels) {
  return labels.length ? labelChips(labels) : element("span", { class: "size" }, "no further labels");
}

/** A value; of a time, how long ago that was, too. */
function valueElement(tag, name, value) {
  const seconds = number(value);
  const isTime = /_time(stamp)?_seconds$/.test(name) && seconds > 1e9 && seconds < 1e10;
  const shown = plain(value);
  return element(
    tag,
    { class: "value", title: shown !== value && value },
    shown,
    isTime && element("small", {}, timeElement(Math.round(seconds * 1000))),
  );
}

function compositeElement(type, { labels, points, sum, count }) {
  const mean = number(sum ?? "NaN") / number(count ?? "NaN");
  const fact = (word, text) => text !== null && element("span", {}, `${word} `, element("b", {}, text));
  const numbers = element(
    "span",
    { class: "numbers" },
    fact("count", count && plain(count)),
    fact("sum", sum && plain(sum)),
    fact("mean", Number.isFinite(mean) ? brief(mean) : null),
  );
  const figure = element(
    "figure",
    { class: "metric" },
    element("figcaption", {}, labels.length > 0 && labelChips(labels), numbers),
  );
  if (points.length) {
    const summary = type === "summary";
    const chart = summary ? summaryChart(points) : histogramChart(points);
    figure.append(element("div", { class: "chart-frame" }, chart), asTable(summary, points));
  }
  return figure;
}

function asTable(summary, points) {
  const cells = ([place, value]) =>
    element(
      "tr",
      {},
      element("td", {}, summary ? place : `≤ ${place}`),
      element("td", { class: "value" }, plain(value)),
    );
  const columns = summary ? ["Quantile", "Value"] : ["Bound", "Observations up to it"];
  const table = tableElement(columns, element("tbody", {}, ...points.map(cells)));
  return element("details", { class: "as-table" }, element("summary", {}, "As a table"), table);
}
