/** The view of the gateway itself: since when it runs, what it is, how it was started. */

import { fetchStatus } from "./api.js";
import { element } from "./dom.js";
import { clearErrors, showError } from "./notices.js";
import { timeElement } from "./times.js";

const content = document.querySelector("#status-content");

export async function startStatus() {
  document.querySelector("#status").hidden = false;
  document.title = "Status – expofmt gateway";
  try {
    const { start_time: started, build_information: build, flags } = await fetchStatus();
    clearErrors();
    content.replaceChildren(
      card("Started", { time: element("span", {}, started, " (", timeElement(Date.parse(started)), ")") }),
      card("Build", build),
      card("Flags", Object.fromEntries(Object.entries(flags).map(([name, value]) => [`--${name}`, value]))),
    );
  } catch (error) {
    showError("The status could not be loaded", error, startStatus);
  } finally {
    content.setAttribute("aria-busy", "false");
  }
}

function card(title, entries) {
  const pairs = Object.entries(entries).flatMap(([name, value]) => [
    element("dt", {}, name),
    element("dd", {}, value === "" ? element("span", { class: "none" }, "empty") : value),
  ]);
  return element("section", { class: "card" }, element("h2", {}, title), element("dl", {}, ...pairs));
}
