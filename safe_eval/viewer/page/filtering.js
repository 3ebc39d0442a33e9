// Filters and sorts the columns of an export, by the same rules as the server.

import { OUTCOMES } from "./words.js";

const TEXT_FACETS = ["dataset", "split", "task", "type"];
const NEEDS = new Map([[true, "yes"], [false, "no"], [null, "unknown"]]);
const NOT_RIGHT = ["wrong", "unparsed", "error"];
const BETWEEN = "\u0000"; // no search reaches from one text into the next

/** The numbers of the items that a query asks for, in its order. `columns` is data/columns.json. */
export function found(query, columns) {
  const tests = testsOf(query, columns);
  const items = [];
  for (let item = 0; item < columns.id.length; item += 1) {
    if (tests.every((test) => test(item))) items.push(item);
  }
  return sorted(items, query.get("sort"), columns);
}

function testsOf(query, columns) {
  const tests = [];
  for (const name of TEXT_FACETS) {
    const asked = new Set(query.getAll(name));
    if (asked.size) tests.push((item) => asked.has(columns[name][item] ?? ""));
  }
  const needs = new Set(query.getAll("needs_audio"));
  if (needs.size) tests.push((item) => needs.has(NEEDS.get(columns.needs_audio[item] ?? null)));
  for (const name of ["group", "record"]) {
    const asked = query.get(name);
    if (asked !== null) tests.push((item) => columns[name][item] === asked);
  }
  for (const value of query.getAll("outcome")) {
    const [arm, words] = armAnd(value, columns, "outcome");
    const asked = new Set((words[0] ?? "").split(","));
    if (![...asked].every((word) => OUTCOMES.includes(word))) refuse("outcome", value, "ARM:right,wrong");
    tests.push((item) => asked.has(arm.outcomes[item]));
  }
  for (const value of query.getAll("flip")) tests.push(flipTest(value, columns));
  for (const value of query.getAll("consulted")) {
    const [arm, [word]] = armAnd(value, columns, "consulted");
    if (word !== "yes" && word !== "no") refuse("consulted", value, "ARM:yes or ARM:no");
    tests.push((item) => arm.consulted[item] === (word === "yes"));
  }
  for (const value of query.getAll("confidence")) {
    const [arm, [low, high]] = armAnd(value, columns, "confidence");
    const [least, most] = [Number(low), Number(high)];
    if (!(least <= most)) refuse("confidence", value, "ARM:LOW:HIGH");
    const has = (number) => number !== null && number !== undefined && number >= least && number <= most;
    tests.push((item) => has(arm.confidences[item]));
  }
  const text = (query.get("text") ?? "").toLowerCase();
  if (text) {
    const texts = textsOf(columns);
    tests.push((item) => texts[item].includes(text));
  }
  if (query.get("noted") === "yes") tests.push((item) => columns.noted[item]);
  return tests;
}

function flipTest(value, columns) {
  const [a, [second, kind]] = armAnd(value, columns, "flip");
  const [b] = armAnd(`${second}:`, columns, "flip");
  const gained = (item) => a.outcomes[item] === "right" ? false
    : NOT_RIGHT.includes(a.outcomes[item]) && b.outcomes[item] === "right";
  const lost = (item) => a.outcomes[item] === "right" && NOT_RIGHT.includes(b.outcomes[item]);
  const tests = { gained, lost, any: (item) => gained(item) || lost(item) };
  if (!Object.hasOwn(tests, kind ?? "")) refuse("flip", value, "A:B:gained, A:B:lost or A:B:any");
  return tests[kind];
}

function armAnd(value, columns, name) {
  const [number, ...rest] = value.split(":");
  const arm = /^\d+$/.test(number) ? columns.arms[Number(number)] : undefined;
  if (!arm) refuse(name, value, `an arm from 0 to ${columns.arms.length - 1} first`);
  return [arm, rest];
}

function refuse(name, value, expected) {
  throw new Error(`The address: ${name}=${value} is not understood; expected ${expected}; remove this filter.`);
}

function textsOf(columns) {
  columns.texts ??= columns.id.map((_, item) => [columns.prompt[item], ...columns.references[item],
    ...columns.arms.map((arm) => arm.answers[item] ?? "")].join(BETWEEN).toLowerCase());
  return columns.texts;
}

function sorted(items, sort, columns) {
  if (!sort) return items;
  const isDescending = sort.startsWith("-");
  const values = sortValues(sort.replace(/^-/, ""), columns);
  const sign = isDescending ? -1 : 1;
  const isMissing = (value) => value === null || value === undefined;
  return items.sort((one, other) => {
    const [a, b] = [values(one), values(other)];
    if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b) || one - other;
    return sign * compared(a, b) || one - other;
  });
}

function sortValues(name, columns) {
  const [kind, arm] = name.split(":");
  if (["id", "type", "group", "record"].includes(name)) return (item) => columns[name][item];
  if (name === "changed") return (item) => -disagreement(item, columns);
  if (kind === "score" || kind === "confidence") {
    const column = armAnd(`${arm ?? ""}:`, columns, "sort")[0][kind === "score" ? "scores" : "confidences"];
    return (item) => column[item];
  }
  return refuse("sort", name, "id, type, group, record, changed, score:ARM or confidence:ARM");
}

/** On how many arms an item would have to change for all to agree whether it is right. */
function disagreement(item, columns) {
  let right = 0;
  let other = 0;
  for (const arm of columns.arms) {
    if (arm.outcomes[item] === "right") right += 1;
    else if (arm.outcomes[item] !== "none") other += 1;
  }
  return Math.min(right, other);
}

/** Numbers by size; texts by their code points, as the server's bytes of UTF-8 are compared. */
function compared(a, b) {
  if (typeof a === "number") return a - b;
  if (a === b) return 0;
  for (let place = 0; place < Math.min(a.length, b.length); place += 1) {
    if (a.charCodeAt(place) !== b.charCodeAt(place)) {
      const isInPair = (text) => place > 0 && /[\udc00-\udfff]/.test(text[place]);
      const start = isInPair(a) || isInPair(b) ? place - 1 : place;
      return a.codePointAt(start) - b.codePointAt(start);
    }
  }
  return a.length - b.length;
}
