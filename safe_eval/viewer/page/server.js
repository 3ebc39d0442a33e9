// Everything the page asks for, from the server that `safe-eval view` started.

import { changed, filterOf, queryText } from "./query.js";

async function answered(address, options = {}) {
  let reply;
  try {
    reply = await fetch(address, { cache: "no-store", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer. Is `safe-eval view` still running?");
  }
  if (reply.ok) return reply;
  let said = null;
  try {
    said = (await reply.json()).error;
  } catch {
    // a reply that is not ours has no message
  }
  throw new Error(said || `The server answered ${reply.status} to ${address.split("?")[0]}.`);
}

async function told(address, options) {
  return (await answered(address, options)).json();
}

/** The source of a page that a server stands behind. */
export function serverSource() {
  return {
    answersAll: true,
    run: () => told("data/run.json"),
    items: (query, after, limit, signal) =>
      told(`data/items?${queryText(changed(filterOf(query), { after, limit }))}`, { signal }),
    statistics: (query, pair, signal) =>
      told(`data/statistics?${queryText(changed(filterOf(query), { ...pair, sort: null }))}`, { signal }),
    next: async (query, item, step, flip, signal) => {
      const asked = changed(filterOf(query), { item, step });
      if (flip && !asked.getAll("flip").includes(flip)) asked.append("flip", flip);
      return (await told(`data/next?${queryText(asked)}`, { signal })).item;
    },
    item: (number, signal) => told(`data/item?item=${number}`, { signal }),
    saveNote: (item, text) =>
      told("data/notes", {
        method: "POST",
        keepalive: true, // so that a note outlives the page on which it was written
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ item, text }),
      }),
    fragment: async (name, query, signal) =>
      (await answered(`${name}.html${query.size ? `?${queryText(query)}` : ""}`, { signal })).text(),
  };
}
