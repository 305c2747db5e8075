/** Shows the view that the address asks for: the groups, or the status. */

import { startGroups } from "./groups.js";
import { startStatus } from "./status.js";

const isStatus = location.pathname.endsWith("/status");
document.querySelector(isStatus ? "#to-status" : "#to-groups").setAttribute("aria-current", "page");
await (isStatus ? startStatus() : startGroups());
