// Everything the page asks for, from the files of an export, or from blocks within the page ("inline").

import { found } from "./filtering.js";
import { FACETS, changed, filterOf, isNarrowed, queryText } from "./query.js";

const ITEMS_A_FILE = 100;
const NOT_TOLD = "The interval of this filter is told by `safe-eval view`.";

/** The source of a page without a server. `kind` is "files" or "inline". */
export function filesSource(kind) {
  const read = kind === "inline" ? block : file;
  const kept = new Map();
  const once = (name) => {
    if (!kept.has(name)) {
      const reading = read(name);
      kept.set(name, reading);
      reading.catch(() => kept.delete(name)); // what failed is read again when it is asked for again
    }
    return kept.get(name);
  };
  const json = async (name) => JSON.parse(await once(name));
  const parsed = new Map(); // the big files are parsed once
  const big = async (name) => {
    if (!parsed.has(name)) parsed.set(name, await json(name));
    return parsed.get(name);
  };
  let last = null; // the filter of the newest answer, and its items
  const itemsOf = async (query) => {
    const run = await big("data/run.json");
    const metric = query.get("metric");
    if (metric && Object.values(run.metric_of).some((shown) => shown !== metric)) {
      throw new Error(`The address: metric=${metric} is not in this export; \`safe-eval view\` shows other metrics.`);
    }
    const key = queryText(filterOf(query));
    if (last?.key !== key) last = { key, items: found(query, await big("data/columns.json")) };
    return last.items;
  };
  const stop = (signal) => {
    if (signal?.aborted) throw new DOMException("Replaced by a newer one.", "AbortError");
  };
  return {
    answersAll: false,
    run: () => big("data/run.json"),
    items: async (query, after, limit, signal) => {
      const items = await itemsOf(query);
      const columns = await big("data/columns.json");
      stop(signal);
      const start = Number(after ?? 0);
      const next = start + limit;
      return { count: items.length, rows: items.slice(start, next).map((item) => rowFrom(item, columns)),
        next: next < items.length ? String(next) : null };
    },
    statistics: async (query, pair, signal) => {
      const all = await big("data/statistics.json");
      const items = await itemsOf(query);
      stop(signal);
      const entry = entryOf(query, all);
      if (!entry) return { count: items.length, groups: null, metric: null, arms: [], pair: null, said: NOT_TOLD };
      return { ...entry, pair: pair ? pairIn(entry, pair) : null };
    },
    next: async (query, item, step, flip, signal) => {
      const asked = new URLSearchParams(filterOf(query));
      if (flip && !asked.getAll("flip").includes(flip)) asked.append("flip", flip);
      const columns = await big("data/columns.json");
      const [own, flips] = [await itemsOf(query), new Set(found(asked, columns))];
      stop(signal);
      // From where the item stands in the order of the list, even if it is itself no flip.
      for (let place = own.indexOf(item) + step; place >= 0 && place < own.length; place += step) {
        if (flips.has(own[place])) return own[place];
      }
      return null;
    },
    item: async (number, signal) => {
      const name = String(Math.floor(number / ITEMS_A_FILE)).padStart(3, "0");
      const items = await big(`data/details/${name}.json`);
      stop(signal);
      const item = items.find((one) => one.item === number);
      if (!item) throw new Error(`The address: item=${number} is no item of this export.`);
      return item;
    },
    saveNote: () => Promise.reject(new Error("An export keeps no notes; `safe-eval view` does.")),
    fragment: async (name) => (kind === "inline" ? JSON.parse(await read(`${name}.html`)) : read(`${name}.html`)),
  };
}

async function file(name) {
  let reply;
  try {
    reply = await fetch(name);
  } catch {
    throw new Error(`${name} could not be read; open this folder through a web server, such as python -m http.server.`);
  }
  if (!reply.ok) throw new Error(`${name} is not in this export (${reply.status}).`);
  return reply.text();
}

async function block(name) {
  const node = document.getElementById(name);
  if (!node) throw new Error(`${name} is not in this file.`);
  return node.textContent;
}

function rowFrom(item, columns) {
  const of = (name) => columns[name][item];
  const arms = (name) => columns.arms.map((arm) => arm[name][item] ?? null);
  return { item, id: of("id"), dataset: of("dataset"), split: of("split"), group: of("group"), record: of("record"),
    type: of("type"), task: of("task"), needs_audio: of("needs_audio"), prompt: of("prompt"),
    references: of("references"), noted: of("noted"), outcomes: arms("outcomes"), answers: arms("answers"),
    confidences: arms("confidences"), consulted: arms("consulted") };
}

/** The statistics that the export holds for a filter: of everything, or of one value of one facet. */
function entryOf(query, all) {
  if (!isNarrowed(query)) return all.all;
  const asked = [...changed(filterOf(query), { sort: null, metric: null })];
  if (asked.length !== 1 || !FACETS.includes(asked[0][0])) return null;
  return all.facets[asked[0][0]]?.[asked[0][1]] ?? null;
}

/** A pair of arms; told the other way round, what was gained is lost. */
function pairIn(entry, { a, b }) {
  const told = entry.pairs?.[`${a}:${b}`];
  if (told) return told;
  const turned = entry.pairs?.[`${b}:${a}`];
  if (!turned) return null;
  const minus = (value) => (value === null ? null : -value);
  return { ...turned, a, b, gained: turned.lost, lost: turned.gained, difference: minus(turned.difference),
    low: minus(turned.high), high: minus(turned.low) };
}
