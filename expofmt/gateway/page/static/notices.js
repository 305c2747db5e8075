/** What the page has to say: errors, successes, and questions. */

import { element, icon } from "./dom.js";

const alerts = document.querySelector("#alerts");

/** An error, until it is dismissed, tried again, or said again. */
export function alertElement(text, again) {
  const dismiss = () => box.remove();
  const retry =
    again &&
    element(
      "button",
      {
        type: "button",
        onclick: () => {
          dismiss();
          again();
        },
      },
      "Try again",
    );
  const close = element("button", { type: "button", onclick: dismiss }, "Dismiss");
  const box = element("div", { class: "alert" }, icon("warning"), element("p", {}, text), retry, close);
  return box;
}

export function showError(what, error, again) {
  alerts.replaceChildren(alertElement(`${what}: ${error.message}.`, again));
}

export function clearErrors() {
  alerts.replaceChildren();
}

const dialog = document.querySelector("#confirm");
const [heading, subject, text, no, yes] = ["heading", "subject", "text", "no", "yes"].map((part) =>
  document.querySelector(`#confirm-${part}`),
);
no.addEventListener("click", () => dialog.close("no"));
yes.addEventListener("click", () => dialog.close("yes"));
// A click beside the dialog is one on its backdrop.
dialog.addEventListener("click", (event) => event.target === dialog && !inside(event) && dialog.close("no"));

function inside({ clientX, clientY }) {
  const box = dialog.getBoundingClientRect();
  return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
}

/** Asks, and resolves to whether the answer was yes. The focus goes back to where it was. */
export function confirmed({ question, about = [], consequence, action }) {
  heading.textContent = question;
  subject.replaceChildren(...about);
  text.textContent = consequence;
  yes.textContent = action;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
