/** The gateway's answers. Whatever goes wrong is an Error whose message can be shown, with the status if there is one. */

import { visible } from "./text.js";

// Where the gateway is, whatever stands before its paths: the page is not told, but its scripts lie below that.
const root = new URL("../", import.meta.url);
root.username = root.password = "";

const PUSHES = "metrics/";

async function request(method, path) {
  let response;
  try {
    response = await fetch(new URL(path, root), { method, cache: "no-store" });
  } catch (error) {
    throw new Error(`the gateway cannot be reached (${error.message})`);
  }
  if (!response.ok) {
    const said = (await response.text()).trim().slice(0, 300);
    const message = `the gateway answered ${response.status} ${response.statusText}${said && `: ${visible(said)}`}`;
    throw Object.assign(new Error(message), { status: response.status });
  }
  return response;
}

async function json(path) {
  const response = await request("GET", path);
  try {
    return await response.json();
  } catch (error) {
    throw new Error(`the gateway's answer cannot be read (${error.message})`);
  }
}

export const fetchOverview = () => json("api/v1/groups");

export const fetchGroup = (path) => json(`api/v1/groups/${path.slice(PUSHES.length)}`);

export const fetchStatus = async () => (await json("api/v1/status")).data;

export const deleteGroup = (path) => request("DELETE", path);

export const wipe = () => request("PUT", "api/v1/admin/wipe");

/** Where all samples of a family are to be read. */
export const familyUrl = (name) =>
  new URL(`${document.body.dataset.telemetryPath}?name[]=${encodeURIComponent(name)}`, root).href;
