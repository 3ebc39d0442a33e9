// What is seen, as the hash says it: a view and a query. A link therefore shows the same to everyone.

import { armText } from "./words.js";

export const VIEWS = ["overview", "items", "item", "training", "compare"];
export const FACETS = ["dataset", "split", "task", "type", "needs_audio"];
const NOT_A_FILTER = ["item", "a", "b", "after", "limit"];
const NOT_NARROWING = [...NOT_A_FILTER, "sort", "metric"];

/** The view and the parameters of a hash; null if it names no view, such as a place within one. */
export function readHash(hash) {
  const [view, ...rest] = hash.replace(/^#/, "").split("?");
  if (view === "") return { view: "items", query: new URLSearchParams() };
  return VIEWS.includes(view) ? { view, query: new URLSearchParams(rest.join("?")) } : null;
}

/** A query as text, in which colons and commas stay readable. */
export function queryText(query) {
  return query.toString().replace(/%3A/g, ":").replace(/%2C/g, ",");
}

/** The hash of a view. */
export function hashOf(view, query) {
  const text = queryText(query);
  return text ? `#${view}?${text}` : `#${view}`;
}

/** A copy of a query in which some parameters are replaced: by one value, by several, or by none. */
export function changed(query, changes) {
  const other = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    other.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== "") other.append(name, one);
    }
  }
  return other;
}

/** The part of a query that says which items, in which order. */
export function filterOf(query) {
  return changed(query, Object.fromEntries(NOT_A_FILTER.map((name) => [name, null])));
}

/** Whether a query leaves any item out. */
export function isNarrowed(query) {
  return [...query.keys()].some((name) => !NOT_NARROWING.includes(name));
}

/** The hash of one item within what is filtered. */
export function itemHash(item, query) {
  return hashOf("item", new URLSearchParams([["item", item], ...changed(query, { item: null })]));
}

/** The two arms that are compared: as the query says, else the baseline and the next; null if there is one arm. */
export function pairOf(query, run) {
  if (run.arms.length < 2) return null;
  const known = (text) => (/^\d+$/.test(text ?? "") && Number(text) < run.arms.length ? Number(text) : null);
  const flip = (query.get("flip") ?? "").split(":");
  const a = known(query.get("a")) ?? known(flip[0]) ?? 0;
  const b = known(query.get("b")) ?? known(flip[1]) ?? (a === 0 ? 1 : 0);
  return { a, b };
}

/** The kind of flip between two arms that a query asks for, or null. */
export function flipKind(query, pair) {
  const start = pair && `${pair.a}:${pair.b}:`;
  const found = pair && query.getAll("flip").find((value) => value.startsWith(start));
  return found ? found.slice(start.length) : null;
}

/** What is filtered, one thing at a time: words, and the query without it. */
export function chipsOf(query, run) {
  const titles = Object.fromEntries(run.facets.map((facet) => [facet.name, facet.title]));
  const arm = (number) => (run.arms[number] ? armText(run.arms[number]) : `arm ${number}`);
  const words = {
    group: (value) => `Group: ${value}`,
    record: (value) => `Record: ${value}`,
    text: (value) => `Text: “${value}”`,
    noted: () => "With a note",
    outcome: (value) => `${arm(value.split(":")[0])}: ${(value.split(":")[1] ?? "").split(",").join(" or ")}`,
    flip: (value) => flipWords(value.split(":"), arm),
    consulted: (value) => `${arm(value.split(":")[0])}: ${value.endsWith(":no") ? "did not listen" : "listened"}`,
    confidence: (value) => {
      const [number, low, high] = value.split(":");
      return `${arm(number)}: confidence ${low} to ${high}`;
    },
  };
  for (const name of FACETS) words[name] = (value) => `${titles[name] ?? name}: ${value}`;
  const all = [...query];
  return all.flatMap(([name, value], place) => {
    if (NOT_NARROWING.includes(name)) return [];
    const rest = new URLSearchParams(all.filter((_, other) => other !== place));
    return [{ text: words[name] ? words[name](value) : `${name}: ${value}`, rest }];
  });
}

function flipWords([a, b, kind], arm) {
  if (kind === "any") return `Flips between ${arm(a)} and ${arm(b)}`;
  return `${kind === "gained" ? "Gained" : "Lost"} by ${arm(b)} against ${arm(a)}`;
}
