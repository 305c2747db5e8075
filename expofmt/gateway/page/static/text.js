/** Pushed text as the page shows it. No element is touched here. */

// What is not seen as itself: control characters, marks that turn text around or join it, blanks that are no space.
const UNSEEN = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const BRIEF = { "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** The text with all that escaped as Go's %q does, so that nothing is taken for something else. */
export function visible(text) {
  return text.replace(UNSEEN, (character) => {
    const number = character.codePointAt(0);
    const [sign, digits] = number < 0x80 ? ["x", 2] : number < 0x10000 ? ["u", 4] : ["U", 8];
    return BRIEF[character] ?? `\\${sign}${number.toString(16).padStart(digits, "0")}`;
  });
}

// Of a longer text, lists show the beginning.
const LONG = 200;

export function isLong(text) {
  return text.length > LONG;
}

/** The text, or the beginning of a long one. */
export function shortened(text) {
  // Half a surrogate pair is no character.
  return isLong(text) ? `${text.slice(0, LONG - 1).replace(/[\ud800-\udbff]$/, "")}…` : text;
}

/** The name and the value of a label as the exposition writes them, in two parts. */
export function labelParts([name, value]) {
  const quoted = (text) => `"${visible(text.replace(/[\\"]/g, "\\$&"))}"`;
  return [`${/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quoted(name)}=`, quoted(value)];
}

export function labelText(label) {
  return labelParts(label).join("");
}
