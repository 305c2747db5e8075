/** All groups as the page knows them, and the choice among them. No element is touched here. */

import { labelText, visible } from "./text.js";

// The host 9 stands before the host 10.
const collator = new Intl.Collator("en", { numeric: true });

/** What the gateway answered, with its tables looked up. */
export function decoded(answer) {
  const families = answer.families.map(([name, type, help]) => ({ name, type, help, folded: folded(name, visible(name)) }));
  const sets = answer.sets.map((places) => places.map((place) => families[place]));
  const groups = answer.groups.map((group) => ({
    ...group,
    // What the address of this page calls the group; without a path of its own, anything that is unique.
    id: group.path?.replace(/^metrics\//, "") ?? JSON.stringify(group.labels),
    families: sets[group.set],
    folded: folded(
      group.labels.map(([name, value]) => `${name}=${value}`).join("\n"),
      group.labels.map(labelText).join("\n"),
    ),
  }));
  // By job, which stands first, and then by the other labels.
  return groups.sort((a, b) => collator.compare(a.folded, b.folded));
}

/** What a search looks in: the text as it was pushed, and as it is shown. */
function folded(pushed, shown) {
  const [one, other] = [pushed, shown].map((text) => text.replaceAll('"', "").toLowerCase());
  return one === other ? one : `${one}\n${other}`;
}

/** The words of a search; quotes count for nothing, here and in the groups, so that what is shown can be searched for. */
export function words(query) {
  return query.toLowerCase().replaceAll('"', "").split(/\s+/).filter(Boolean);
}

const ORDERS = {
  labels: null,
  newest: (a, b) => b.pushed - a.pushed,
  oldest: (a, b) => a.pushed - b.pushed,
  failing: (a, b) => b.failing - a.failing || b.failed - a.failed,
};

/** The groups that have each word in a label or in the name of a family, in the order asked for. */
export function chosen(groups, { query, failingOnly, order }) {
  const wanted = words(query);
  // Thousands of groups have the same families, and share the list of them.
  const answers = new Map(wanted.map((word) => [word, new Map()]));
  const named = (word, families) => {
    const known = answers.get(word);
    if (!known.has(families))
      known.set(
        families,
        families.some((family) => family.folded.includes(word)),
      );
    return known.get(families);
  };
  const found = groups.filter(
    (group) =>
      (group.failing || !failingOnly) &&
      wanted.every((word) => group.folded.includes(word) || named(word, group.families)),
  );
  return ORDERS[order] ? found.sort(ORDERS[order]) : found;
}

/** The names of the families for which a group was found. */
export function matches(group, query) {
  const wanted = words(query).filter((word) => !group.folded.includes(word));
  return group.families.filter((family) => wanted.some((word) => family.folded.includes(word))).map(({ name }) => name);
}
