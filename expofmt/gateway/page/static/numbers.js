/** Values, which come as the text of the exposition. */

/** The number, for drawing. */
export function number(text) {
  return text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text);
}

/** The value without an exponent, where that is no longer than people read; else as it is. */
export function plain(text) {
  if (!text.includes("e")) return text;
  const shown = String(Number(text));
  return shown.length <= 21 ? shown : text;
}

/** At most four digits, for axes and averages; with an exponent where that would take many zeros. */
export function brief(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
  const size = Math.abs(value);
  // Beyond these there are no words for thousands of thousands, only digits.
  if (value !== 0 && (size < 1e-4 || size >= 1e15)) return value.toExponential(3).replace(/\.?0+e/, "e");
  return value.toLocaleString("en", {
    maximumSignificantDigits: 4,
    notation: size >= 1e6 ? "compact" : "standard",
  });
}

/** How many there are of a thing, whose plural is given where it is not made by an s. */
export function counted(amount, one, many = `${one}s`) {
  return `${amount.toLocaleString("en")} ${amount === 1 ? one : many}`;
}
