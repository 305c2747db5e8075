/** Histograms and summaries as small charts, each with a sentence that says the same. */

import { svg } from "./dom.js";
import { brief, counted, number } from "./numbers.js";

const HEIGHT = 110;
const FOOT = 18;
const HEAD = 14;
// About as wide as a letter is, and how far a text may stand out on the left: the padding of the frame.
const LETTER = 6.8;
// Up to this width, a chart gives way to a narrow screen, as far as its letters can be read.
const SHRINKS = 760;
const MARGIN = 12;

/** How many observations fell into each bucket: bars of one width, whatever the bounds are. */
export function histogramChart(points) {
  const bars = points.map(([bound, count], index) => ({
    above: index ? points[index - 1][0] : null,
    bound,
    // What is cumulative in the exposition is less than it was before only where something is wrong with it.
    count: Math.max(0, number(count) - (index ? number(points[index - 1][1]) : 0)) || 0,
  }));
  const step = Math.max(14, Math.min(56, 720 / bars.length));
  const width = Math.max(step * bars.length, 60) + 30;
  const highest = Math.max(...bars.map(({ count }) => count), 1e-300);
  const ground = HEIGHT - FOOT;
  const drawn = bars.map(({ above, bound, count }, index) => {
    const height = Number.isFinite(count / highest) ? (count / highest) * (ground - HEAD) : 0;
    const place = { x: index * step + 1, y: ground - height, width: step - 2, height };
    return svg(
      "rect",
      { class: "bar-of", rx: 1.5, ...place },
      svg("title", {}, `${range(above, bound)}: ${brief(count)}`),
    );
  });
  // Bounds stand below the upper edge of their bars, as many as there is room for.
  const labels = bars.map(({ bound }) => brief(number(bound)));
  const each = Math.ceil(Math.max(46, ...labels.map((label) => label.length * LETTER + 8)) / step);
  const bounds = labels
    .map((label, index) => svg("text", { ...centred(label, (index + 1) * step), y: HEIGHT - 4 }, label))
    .filter((_, index) => (bars.length - 1 - index) % each === 0);
  const top = bars.findIndex(({ count }) => count === highest);
  const peak =
    top >= 0 &&
    svg(
      "text",
      { class: "figure", ...centred(brief(highest), (top + 0.5) * step), y: HEAD - 3 },
      brief(highest),
    );
  const axis = svg("line", { class: "axis", x1: 0, x2: step * bars.length, y1: ground + 0.5, y2: ground + 0.5 });
  const most =
    top >= 0 ? ` Most, ${brief(highest)}, are ${range(bars[top].above, bars[top].bound)}.` : " No observations.";
  return chart(width, HEIGHT, `Histogram of ${counted(bars.length, "bucket")}.${most}`, [
    ...drawn,
    axis,
    ...bounds,
    peak,
  ]);
}

/** Where a text begins to be read: around the place, but not too far left of all bars. */
function centred(text, x) {
  return { x: Math.max(x, (text.length * LETTER) / 2 - MARGIN), "text-anchor": "middle" };
}

function range(above, bound) {
  if (bound === "+Inf") return above === null ? "of any size" : `above ${above}`;
  return above === null ? `at most ${bound}` : `above ${above}, at most ${bound}`;
}

const ROW = 22;
const NAMES = 64;
const LENGTH = 260;

/** The values at the quantiles, as bars from zero. */
export function summaryChart(points) {
  const values = points.map(([, value]) => number(value));
  const finite = values.filter(Number.isFinite);
  const low = Math.min(0, ...finite);
  const span = Math.max(0, ...finite) - low || 1;
  const place = (value) => NAMES + ((value - low) / span) * LENGTH;
  const rows = points.flatMap(([quantile, text], index) => {
    const value = values[index];
    const middle = index * ROW + ROW / 2;
    const from = Math.min(place(0), place(value));
    return [
      svg("text", { x: NAMES - 10, y: middle + 4, "text-anchor": "end" }, quantile),
      Number.isFinite(value) &&
        svg("rect", {
          class: "bar-of",
          x: from,
          y: middle - 5,
          width: Math.max(1, Math.abs(place(value) - place(0))),
          height: 10,
          rx: 1.5,
        }),
      svg(
        "text",
        { class: "figure", x: NAMES + LENGTH + 10, y: middle + 4 },
        Number.isFinite(value) ? brief(value) : text,
      ),
    ];
  });
  const height = points.length * ROW;
  const axis = svg("line", { class: "axis", x1: place(0) - 0.5, x2: place(0) - 0.5, y1: 0, y2: height });
  const said = points.map(([quantile, value]) => `${quantile} is ${value}`).join(", ");
  return chart(NAMES + LENGTH + 90, height, `Quantiles: ${said}.`, [...rows, axis]);
}

function chart(width, height, sentence, parts) {
  const frame = {
    class: "chart",
    role: "img",
    "aria-label": sentence,
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
  };
  const drawn = svg("svg", frame, ...parts);
  drawn.style.minWidth = `${width > SHRINKS ? width : 0.7 * width}px`;
  return drawn;
}
