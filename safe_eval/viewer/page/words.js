// How outcomes and numbers look.

import { drawn, element } from "./dom.js";

export const OUTCOMES = ["right", "wrong", "unparsed", "error", "none"];
const MISSING = "–";
const SHAPES = {
  right: [["circle", { cx: 8, cy: 8, r: 7, class: "body" }], ["path", { d: "M4.6 8.3 7 10.7l4.4-5.2", class: "sign" }]],
  wrong: [["rect", { x: 1.5, y: 1.5, width: 13, height: 13, rx: 2, class: "body" }],
    ["path", { d: "m5 5 6 6m0-6-6 6", class: "sign" }]],
  unparsed: [["path", { d: "M8 .8 15.2 8 8 15.2.8 8z", class: "body" }],
    ["path", { d: "M6.2 6.3a1.9 1.9 0 1 1 2.6 1.8c-.6.2-.8.5-.8 1.1m0 1.6v.5", class: "sign" }]],
  error: [["path", { d: "M8 1 15.4 14.6H.6z", class: "body" }], ["path", { d: "M8 5.8v4m0 1.8v.6", class: "sign" }]],
  none: [["path", { d: "M4 8h8", class: "sign bare" }]],
};

/** The shape of an outcome; its word stands beside it. */
export function mark(outcome) {
  const known = OUTCOMES.includes(outcome) ? outcome : "none";
  const shapes = SHAPES[known].map(([name, attributes]) => drawn(name, attributes));
  return drawn("svg", { class: `mark ${known}`, viewBox: "0 0 16 16", "aria-hidden": "true" }, shapes);
}

/** Whether an arm gained or lost an item against another: "gained", "lost", or null. */
export function flipOf(before, after) {
  if (before === "none" || after === "none" || (before === "right") === (after === "right")) return null;
  return after === "right" ? "gained" : "lost";
}

/** A count with thin spaces between thousands, and its noun. */
export function counted(value, noun = "", plural = `${noun}s`) {
  if (value === null || value === undefined) return MISSING;
  const number = String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return noun ? `${number} ${value === 1 ? noun : plural}` : number;
}

function fixed(value, digits) {
  return value.toFixed(digits).replace("-", "−");
}

/** A fraction in percent; a score above 1, such as CIDEr, as it is. */
export function share(value, isFraction = true) {
  if (value === null || value === undefined) return MISSING;
  return isFraction ? `${fixed(100 * value, 1)} %` : fixed(value, 3);
}

/** The ends of an interval, or nothing. */
export function interval(low, high, isFraction = true) {
  if (low === null || high === null || low === undefined || high === undefined) return "";
  return isFraction ? `[${fixed(100 * low, 1)}, ${fixed(100 * high, 1)}]` : `[${fixed(low, 3)}, ${fixed(high, 3)}]`;
}

/** A difference, always signed; of fractions in percentage points. */
export function difference(value, isFraction = true) {
  if (value === null || value === undefined) return MISSING;
  const text = isFraction ? fixed(100 * value, 1) : fixed(value, 3);
  return `${value > 0 ? "+" : ""}${text}${isFraction ? " pp" : ""}`;
}

/** A number of unknown unit, with three digits that count. */
export function plainNumber(value) {
  if (value === null || value === undefined) return MISSING;
  if (typeof value !== "number") return String(value);
  const text = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}

/** A p-value as it is usually printed. */
export function pValue(value) {
  if (value === null || value === undefined) return "p not told";
  return value < 0.001 ? "p < 0.001" : `p = ${value.toPrecision(2)}`;
}

/** Whether all scores of some statistics are fractions, which are shown in percent. */
export function areFractions(arms) {
  return arms.every((arm) => [arm.accuracy, arm.high].every((value) => value === null || value <= 1));
}

/** A small drawing of an interval from 0 to 1, with its point. */
export function intervalBar(value, low, high) {
  if (value === null || value > 1) return null;
  const [start, end] = low === null || high === null ? [value, value] : [low, high];
  return drawn("svg", { class: "interval", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    drawn("rect", { class: "ground", x: 0, y: 2.5, width: 100, height: 1 }),
    drawn("rect", { class: "range", x: 100 * start, y: 1.5, width: Math.max(0, 100 * (end - start)), height: 3 }),
    drawn("rect", { class: "point", x: Math.min(98.5, Math.max(0, 100 * value - 0.75)), y: 0, width: 1.5, height: 6 }));
}

/** The name of an arm with what tells it from others. */
export function armName(arm) {
  return element("span", { class: "arm" }, element("span", { class: "arm-title" }, arm.title), " ",
    element("span", { class: "small arm-subtitle" }, arm.subtitle));
}

/** The name of an arm in one line of text. */
export function armText(arm) {
  return arm.subtitle ? `${arm.title} (${arm.subtitle})` : arm.title;
}
