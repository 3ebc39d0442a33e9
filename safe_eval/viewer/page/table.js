// The table of items: a row an item, a column an arm. Pages far from what is seen hold one empty row each.

import { element } from "./dom.js";
import { flipOf, mark } from "./words.js";
import { itemHash } from "./query.js";

const REACH_PIXELS = 1200;

/** A pool of pages whose rows exist only near what is seen. */
export function pagedRows(table, scroller, run) {
  let pages = [];
  let watcher = null;
  let state = null; // the query and the pair of arms that the rows show

  const fill = (page, isChanged = false) => {
    if (page.filled && !isChanged) return;
    page.body.replaceChildren(...page.rows.map((row, place) => rowOf(row, page.start + place, run, state)));
    page.filled = true;
  };
  const empty = (page) => {
    if (!page.filled || page.body.contains(document.activeElement)) return;
    const space = element("td", { colspan: run.arms.length + 2 });
    space.style.setProperty("height", `${page.body.getBoundingClientRect().height}px`);
    page.body.replaceChildren(element("tr", { class: "space", "aria-hidden": "true" }, space));
    page.filled = false;
  };
  const clear = (query, pair) => {
    watcher?.disconnect();
    pages.forEach((page) => page.body.remove());
    pages = [];
    state = { query, pair };
    watcher = new IntersectionObserver((seen) => {
      for (const entry of seen) {
        const page = pages.find((one) => one.body === entry.target);
        if (page && entry.isIntersecting) fill(page);
        // A table that is not shown has no height that could be kept.
        else if (page && entry.boundingClientRect.height > 0) empty(page);
      }
    }, { root: scroller(), rootMargin: `${REACH_PIXELS}px` });
  };
  const add = (rows) => {
    const body = element("tbody", { role: "rowgroup" });
    const page = { body, rows, start: pages.reduce((sum, one) => sum + one.rows.length, 0), filled: false };
    pages.push(page);
    fill(page);
    table.append(body);
    watcher.observe(body);
  };
  const place = (item) => {
    const page = pages.find((one) => one.rows.some((row) => row.item === item));
    if (page) fill(page);
    return page ? page.body.querySelector(`a[data-item="${item}"]`) : null;
  };
  const setNoted = (item, isNoted) => {
    for (const page of pages) {
      const row = page.rows.find((one) => one.item === item);
      if (!row) continue;
      row.noted = isNoted;
      if (page.filled) fill(page, true);
    }
  };
  return { clear, add, place, setNoted, rows: () => pages.flatMap((page) => page.rows) };
}

function rowOf(row, number, run, { query, pair }) {
  const cells = run.arms.map((arm) => armCell(row, arm, pair));
  return element("tr", { role: "row", "aria-rowindex": number + 2 },
    element("th", { role: "rowheader", scope: "row", class: "stick item-cell" },
      element("a", { href: itemHash(row.item, query), "data-item": row.item, class: "prompt" }, row.prompt || row.id),
      element("span", { class: "small facts" }, row.noted && element("span", { class: "noted" }, "note "),
        [row.id, row.type].filter(Boolean).join(" · "))),
    element("td", { role: "cell", class: "expected", "data-label": "Expected" },
      element("span", { class: "clamp" }, row.references.join(" / "))),
    cells);
}

function armCell(row, about, pair) {
  const { arm } = about;
  const outcome = row.outcomes[arm];
  const answer = row.answers[arm];
  const confidence = row.confidences[arm];
  const flip = pair && arm === pair.b ? flipOf(row.outcomes[pair.a], outcome) : null;
  const facts = [outcome, confidence === null || confidence === undefined ? null : confidence.toFixed(2),
    row.consulted[arm] === true ? "listened" : null].filter(Boolean);
  return element("td", { role: "cell", class: `cell ${outcome}${arm === 0 ? " stick second" : ""}`,
    "data-label": `${about.title} ${about.subtitle}` },
    element("span", { class: "answer-line" }, mark(outcome), element("span", { class: "clamp answer" },
      answer === null || answer === undefined ? "" : answer === "" ? "(empty)" : answer)),
    element("span", { class: "small facts" },
      flip && element("span", { class: `flip ${flip}` }, flip === "gained" ? "▲ gained · " : "▼ lost · "),
      facts.join(" · ")));
}
