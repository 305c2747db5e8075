/** The view of all groups. What is searched for, and open, is in the fragment of the address, which can be sent. */

import { deleteGroup, fetchGroup, fetchOverview, wipe } from "./api.js";
import { element, GrowingList, icon, labelChips } from "./dom.js";
import { showGroup } from "./group.js";
import { alertElement, clearErrors, confirmed, showError } from "./notices.js";
import { counted } from "./numbers.js";
import { chosen, decoded, matches } from "./overview.js";
import { isLong, labelText, shortened, visible } from "./text.js";
import { setClock, timeElement } from "./times.js";

const STEP = 60;
const PERIOD_MS = 10_000;
const TYPING_MS = 80;

const [list, search, order, failingOnly, count, notice, refreshButton, automatic, wipeButton] = [
  "group-list",
  "search",
  "order",
  "failing-only",
  "count",
  "notice",
  "refresh",
  "automatic",
  "wipe",
].map((id) => document.getElementById(id));

let groups = [];
let found = [];
let turns = 0;
const rows = new Map();
const open = new Set();
const growing = new GrowingList(list, rowOf, { step: STEP });

export async function startGroups() {
  document.querySelector("#groups").hidden = false;
  list.setAttribute("role", "list");
  list.after(growing.more);
  readAddress();
  let typing;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(choose, TYPING_MS, { afresh: true });
  });
  automatic.addEventListener("change", writeAddress);
  for (const control of [order, failingOnly]) control.addEventListener("change", () => choose({ afresh: true }));
  refreshButton.addEventListener("click", () => refresh());
  wipeButton.addEventListener("click", askToWipe);
  window.addEventListener("hashchange", () => {
    if (!isOurs(location.hash)) return;
    readAddress();
    choose({ afresh: true });
    reveal();
  });
  setInterval(() => automatic.checked && !document.hidden && refresh(), PERIOD_MS);
  await refresh();
  await reveal();
}

/** Asks the gateway for all groups; what was shown stays where it does not answer. */
async function refresh() {
  const turn = ++turns;
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await fetchOverview();
    // Of two that are under way, the one that was asked for last tells what is.
    if (turn !== turns) return;
    setClock(answer.now);
    groups = decoded(answer);
    clearErrors();
  } catch (error) {
    showError("The groups could not be loaded", error, refresh);
    return;
  } finally {
    list.setAttribute("aria-busy", "false");
  }
  const known = new Set(groups.map(({ id }) => id));
  for (const id of rows.keys()) if (!known.has(id)) rows.delete(id);
  for (const id of open) if (!known.has(id)) open.delete(id);
  if (document.body.dataset.adminApi === "on") {
    wipeButton.hidden = false;
    wipeButton.disabled = groups.length === 0;
    wipeButton.textContent = `Delete all ${counted(groups.length, "group")}`;
  }
  choose();
}

/** Shows the groups that are searched for. */
function choose({ afresh = false } = {}) {
  const failing = groups.filter((group) => group.failing).length;
  found = chosen(groups, { query: search.value, failingOnly: failingOnly.checked, order: order.value });
  growing.show(found, { afresh });
  const all = counted(groups.length, "group");
  const told = found.length === groups.length ? all : `${found.length.toLocaleString("en")} of ${all}`;
  count.textContent = `${told}${failing ? `, ${failing.toLocaleString("en")} failing` : ""}`;
  list.querySelector(".empty")?.remove();
  if (found.length === 0) {
    const text = groups.length ? "No group is like that." : "No group has been pushed yet.";
    list.append(element("p", { class: "empty", role: "listitem" }, text));
  }
  writeAddress();
}

// -------------------------------------------------------------------------------------------------------- the address

function isOurs(hash) {
  return hash === "" || hash === "#" || hash.includes("=");
}

function readAddress() {
  if (!isOurs(location.hash)) return;
  const given = new URLSearchParams(location.hash.slice(1));
  search.value = given.get("q") ?? "";
  order.value = given.get("order") ?? "labels";
  if (!order.value) order.value = "labels";
  failingOnly.checked = given.has("failing");
  automatic.checked = given.has("automatic");
  const wanted = new Set(given.getAll("group"));
  for (const id of [...open]) if (!wanted.has(id)) setOpen(id, false);
  for (const id of wanted) setOpen(id, true);
}

function writeAddress() {
  const told = new URLSearchParams();
  if (search.value) told.set("q", search.value);
  if (order.value !== "labels") told.set("order", order.value);
  if (failingOnly.checked) told.set("failing", "yes");
  if (automatic.checked) told.set("automatic", "yes");
  for (const id of open) told.append("group", id);
  // A slash need not be escaped there, and paths are read more easily with it.
  const fragment = told.toString().replaceAll("%2F", "/");
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}

/** Brings the first open group onto the screen. */
async function reveal() {
  const index = found.findIndex(({ id }) => open.has(id));
  if (index < 0) return;
  await growing.reach(index);
  rows.get(found[index].id)?.element.scrollIntoView({ block: index ? "start" : "nearest" });
}

// --------------------------------------------------------------------------------------------------------------- rows

function rowOf(group) {
  const row = rows.get(group.id) ?? makeRow(group);
  row.update(group);
  return row.element;
}

let made = 0;

function makeRow(group) {
  const { id } = group;
  const body = element("div", { class: "group-body", id: `group-${++made}`, hidden: true });
  const toggle = () => {
    setOpen(id, !open.has(id));
    writeAddress();
  };
  const disclosure = element(
    "button",
    { type: "button", class: "disclosure", "aria-controls": body.id, onclick: toggle },
    icon("chevron"),
    labelChips(group.labels, { cut: true }),
  );
  const meta = element("div", { class: "meta" });
  const hits = element("p", { class: "matches" });
  const head = element("div", { class: "group-head" }, element("h2", {}, disclosure), meta, deleteButton(group));
  const row = {
    element: element("div", { class: "group", role: "listitem" }, head, hits, body),
    body,
    disclosure,
    shown: null,
    update,
  };
  rows.set(id, row);
  return row;

  function update(latest) {
    const { failing, failed, pushed, samples, families } = latest;
    row.group = latest;
    row.element.classList.toggle("failing", failing);
    meta.replaceChildren(
      ...(failing
        ? [element("span", { class: "badge" }, icon("warning"), "Last push failed ", timeElement(failed))]
        : []),
      element("span", {}, `${counted(families.length, "family", "families")} · ${counted(samples, "sample")}`),
      element(
        "span",
        { class: "age" },
        ...(pushed ? [element("span", { class: "unseen" }, "Last push "), timeElement(pushed)] : ["never pushed"]),
      ),
    );
    const names = matches(latest, search.value);
    hits.hidden = names.length === 0;
    const told = names.slice(0, 4).flatMap((name, index) => [
      index ? ", " : "",
      element("code", {}, shortened(visible(name))),
    ]);
    hits.replaceChildren("Has ", ...told, names.length > 4 ? ` and ${names.length - 4} more like it` : "");
    showBody(row);
  }
}

function deleteButton({ id, labels, path }) {
  const name = `Delete the group ${listed(labels)}`;
  if (path === null) {
    const why = "No path names this group: the gateway would have to be started with --push.enable-utf8-names";
    return element(
      "button",
      { type: "button", class: "icon-button", disabled: true, title: why, "aria-label": why },
      icon("bin"),
    );
  }
  const ask = () => askToDelete(rows.get(id).group);
  return element(
    "button",
    { type: "button", class: "icon-button danger", title: "Delete this group", "aria-label": name, onclick: ask },
    icon("bin"),
  );
}

/** Labels in a sentence. */
function listed(labels) {
  return labels.map((label) => shortened(labelText(label))).join(", ");
}

function setOpen(id, wanted) {
  if (wanted) open.add(id);
  else open.delete(id);
  const row = rows.get(id);
  if (row) showBody(row);
}

/** Opens or closes the row, and fetches what it shows unless that is as it was. */
async function showBody(row) {
  const { group, body, disclosure } = row;
  const isOpen = open.has(group.id);
  disclosure.setAttribute("aria-expanded", isOpen);
  body.hidden = !isOpen;
  const version = `${group.pushed} ${group.failed} ${group.expires} ${group.samples}`;
  if (!isOpen || row.shown === version) return;
  row.shown = version;
  if (!body.hasChildNodes()) body.append(element("p", { class: "facts" }, "Loading …"));
  try {
    if (group.path === null) throw new Error("no path names it");
    const answer = await fetchGroup(group.path);
    if (row.shown !== version) return;
    showGroup(body, answer);
    if (isLong(group.labels.map(labelText).join())) {
      body.prepend(element("div", { class: "whole" }, labelChips(group.labels, { whole: true })));
    }
  } catch (error) {
    if (row.shown !== version || (error.status === 404 && (await isGone(row)))) return;
    const again = () => {
      row.shown = null;
      showBody(row);
    };
    const box = alertElement(`The metrics of this group could not be loaded: ${error.message}.`, again);
    box.setAttribute("role", "alert");
    body.replaceChildren(box);
  }
}

/** Looks whether the group of a row is still there; tells if it is not, and shows those that are. */
async function isGone({ group, element: shown }) {
  const index = found.findIndex(({ id }) => id === group.id);
  const focused = shown.contains(document.activeElement);
  await refresh();
  if (groups.some(({ id }) => id === group.id)) return false;
  notice.textContent = `The group ${listed(group.labels)} has been deleted meanwhile.`;
  if (focused) focusNear(index);
  return true;
}

/** Gives the focus to the group that now stands at the index. */
function focusNear(index) {
  (rows.get((found[index] ?? found.at(-1))?.id)?.disclosure ?? search).focus();
}

// ----------------------------------------------------------------------------------------------------------- deletion

async function askToDelete(group) {
  const size = `${counted(group.families.length, "family", "families")} with ${counted(group.samples, "sample")}`;
  const consequence = `${size} will be gone from the gateway. This cannot be undone.`;
  if (
    !(await confirmed({
      question: "Delete this group?",
      about: [labelChips(group.labels, { whole: true })],
      consequence,
      action: "Delete group",
    }))
  )
    return;
  const index = found.findIndex(({ id }) => id === group.id);
  const deleted = await carryOut(
    "The group could not be deleted",
    () => deleteGroup(group.path),
    `Deleted the group ${listed(group.labels)}.`,
  );
  // The button that had the focus is gone.
  if (deleted) focusNear(index);
}

async function askToWipe() {
  const consequence = `${counted(groups.length, "group")} will be gone from the gateway. This cannot be undone.`;
  if (!(await confirmed({ question: "Delete all groups?", consequence, action: "Delete all" }))) return;
  if (await carryOut("The groups could not be deleted", wipe, "Deleted all groups.")) search.focus();
}

/** Does something that changes the groups, and tells of it; resolves to whether it was done. */
async function carryOut(failure, act, success) {
  notice.textContent = "";
  try {
    await act();
  } catch (error) {
    showError(failure, error);
    return false;
  }
  notice.textContent = success;
  await refresh();
  return true;
}
