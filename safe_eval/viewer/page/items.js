// The view of all items: filters, what is filtered, and the table.

import { copied, element, failure, newest } from "./dom.js";
import { filterPanel } from "./filters.js";
import { changed, chipsOf, filterOf, flipKind, hashOf, isNarrowed, pairOf, queryText } from "./query.js";
import { countText, summaryOf, tableHead } from "./summary.js";
import { pagedRows } from "./table.js";
import { armText } from "./words.js";

const PAGE_ROWS = 60;
const FARTHEST_PAGES = 30; // how many pages a jump to the next flip loads before it opens the item instead
const SORTS = [["", "Number"], ["changed", "Most changed first"], ["id", "Id"], ["type", "Question type"],
  ["group", "Group"], ["record", "Record"]];

/** The view: its element, `show(query)`, `focusItem(item)`, and what its keys do. */
export function itemsView({ run, source, go, announce }) {
  let query = null;
  let statistics = null;
  let isTold = false; // whether the statistics are those of this filter
  let pending = null; // the page that is loading, as a promise
  let cursor = null;
  const askStatistics = newest();
  const use = (other, isTyping = false) => go(hashOf("items", other), { replace: isTyping });

  const panel = filterPanel({ run, source, query: () => query, use });
  const chips = element("ul", { class: "chips", "aria-label": "What is filtered" });
  const count = element("p", { class: "count", id: "count" });
  const summary = element("div", { class: "summary" });
  const head = element("thead", { role: "rowgroup" });
  const table = element("table", { class: "items", role: "table", "aria-describedby": "count" },
    element("caption", { class: "hidden" }, "Items, and what each arm answered"), head);
  table.style.setProperty("--arms", String(run.arms.length));
  const more = element("button", { type: "button", class: "plain more", onclick: () => loadMore() }, "More items");
  const trouble = element("div", {});
  const end = element("div", { class: "end" }, trouble, more);
  const scroller = element("div", { class: "scroller", role: "region", tabindex: "0", "aria-label": "Table of items" },
    table, end);
  const rows = pagedRows(table, () => (scrolls() ? scroller : null), run);
  const sorting = sortChoice(run, (name) => use(changed(query, { sort: name })));
  const copy = element("button", { type: "button", class: "plain", onclick: async () => {
    announce((await copied(location.href)) ? "The link is copied." : "The link is in the address bar.");
  } }, "Copy link");
  const narrow = matchMedia("(max-width: 900px)");
  const drawer = element("details", { class: "drawer", open: !narrow.matches },
    element("summary", {}, "Filters"), panel.node);
  const syncDrawer = () => (drawer.open = !narrow.matches);
  narrow.addEventListener("change", syncDrawer);
  const node = element("section", { class: "items-view", "aria-label": "Items" },
    drawer,
    element("div", { class: "result" },
      element("h1", { class: "hidden" }, "Items"),
      element("div", { class: "toolbar" }, count, element("div", { class: "toolbar-buttons" }, sorting.node, copy)),
      chips, summary, scroller));

  const scrolls = () => getComputedStyle(scroller).overflowY === "auto";
  const endSeen = new IntersectionObserver((seen) => {
    if (seen.some((entry) => entry.isIntersecting) && cursor && !trouble.hasChildNodes()) loadMore();
  }, { rootMargin: "900px" });
  endSeen.observe(end);

  const draw = () => {
    const pair = pairOf(query, run);
    for (const part of [head, summary]) part.classList.toggle("waiting", !isTold && statistics !== null);
    const focused = head.contains(document.activeElement) ? document.activeElement.dataset.sort : null;
    head.replaceChildren(tableHead(run, query, statistics, sortBy));
    if (focused) head.querySelector(`[data-sort="${focused}"]`).focus();
    summary.replaceChildren(...(statistics ? summaryOf(run, query, pair, statistics) : []));
  };
  const sortBy = (name) => {
    const now = query.get("sort");
    // Worst first, then best first, then the order of the items again.
    const next = now === name ? `-${name}` : now === `-${name}` ? null : name;
    use(changed(query, { sort: next }));
    head.querySelector(`[data-sort="${name}"]`)?.focus();
  };
  const useAndFocus = (other) => { // the chip that was pressed is gone: its focus goes to the next
    use(other);
    (chips.querySelector("button") ?? scroller).focus();
  };
  const drawChips = () => {
    const found = chipsOf(query, run).map(({ text, rest }) => element("li", {},
      element("button", { type: "button", class: "chip", onclick: () => useAndFocus(rest) }, text,
        element("span", { "aria-hidden": "true" }, " ×"), element("span", { class: "hidden" }, " (remove)"))));
    const kept = Object.fromEntries(["a", "b", "sort", "metric"].map((name) => [name, query.get(name)]));
    const all = element("li", {}, element("button", { type: "button", class: "chip clear",
      onclick: () => useAndFocus(changed(new URLSearchParams(), kept)) }, "Clear all"));
    chips.replaceChildren(...found, ...(isNarrowed(query) ? [all] : []));
  };

  const askRows = newest();
  const ask = (after, done) => {
    more.disabled = true;
    trouble.replaceChildren();
    pending = new Promise((settle) => {
      askRows((signal) => source.items(query, after, PAGE_ROWS, signal), (page) => { done(page); settle(); },
        (error) => { trouble.replaceChildren(failure(error, () => ask(after, done))); more.hidden = true; settle(); });
    });
    return pending;
  };
  const added = (page) => {
    rows.add(page.rows);
    cursor = page.next;
    more.hidden = cursor === null;
    more.disabled = false;
    // Where the end is still in sight, nothing scrolls and no one is told: look again.
    endSeen.unobserve(end);
    endSeen.observe(end);
  };
  const loadMore = () => (cursor && !more.disabled ? ask(cursor, added) : pending);

  const first = (page) => {
    scroller.classList.remove("waiting");
    rows.clear(query, pairOf(query, run));
    scroller.scrollTop = 0;
    table.setAttribute("aria-rowcount", page.count + 1);
    added(page);
    count.textContent = countText(run, page.count, isTold ? statistics.groups : null);
    announce(countText(run, page.count, null));
    if (page.count === 0) {
      trouble.replaceChildren(element("p", { class: "nothing" }, "No item is left. Remove a filter."));
    }
  };
  const askFor = () => {
    askStatistics((signal) => source.statistics(query, pairOf(query, run), signal),
      (told) => {
        statistics = told;
        isTold = true;
        draw();
        count.textContent = countText(run, told.count, told.groups);
      },
      (error) => {
        statistics = null;
        draw();
        summary.replaceChildren(failure(error, askFor));
      });
  };

  const show = (now) => {
    const before = query;
    query = now;
    panel.sync(now);
    if (before && queryText(before) === queryText(now)) return;
    const isSame = before && queryText(filterOf(before)) === queryText(filterOf(now));
    const isResorted = before && queryText(changed(filterOf(before), { sort: null })) ===
      queryText(changed(filterOf(now), { sort: null })) && queryText(before) !== "" && isSame === false;
    // The numbers of the filter before stay, dimmed, until the new ones come: nothing jumps.
    if (!isResorted) isTold = false;
    sorting.sync(now);
    drawChips();
    draw();
    scroller.classList.add("waiting");
    cursor = null;
    ask(null, first);
    if (!isResorted) askFor();
  };

  const focusItem = (item) => {
    const link = rows.place(item);
    link?.focus({ preventScroll: true });
    link?.closest("tr").scrollIntoView({ block: "nearest" });
    return Boolean(link);
  };
  const current = () => {
    const item = document.activeElement?.dataset?.item ?? document.activeElement?.closest?.("tr")
      ?.querySelector("a[data-item]")?.dataset.item;
    return item === undefined ? null : Number(item);
  };
  const step = async (by) => {
    const all = rows.rows();
    const place = all.findIndex((row) => row.item === current());
    if (place + by >= all.length && cursor) await loadMore();
    const next = rows.rows()[place < 0 ? 0 : place + by];
    if (next) focusItem(next.item);
  };
  const stepFlip = async (by) => {
    const pair = pairOf(query, run);
    const from = current() ?? rows.rows()[0]?.item;
    if (!pair || from === undefined) return;
    const kind = flipKind(query, pair) ?? "any";
    const item = await source.next(query, from, by, `${pair.a}:${pair.b}:${kind}`);
    if (item === null) {
      announce(`No ${by > 0 ? "further" : "earlier"} flip between ${armText(run.arms[pair.a])} and ${
        armText(run.arms[pair.b])}.`);
      return;
    }
    for (let page = 0; page < FARTHEST_PAGES; page += 1) {
      if (focusItem(item)) return;
      if (!cursor) break;
      await loadMore();
    }
    go(`#item?item=${item}&${queryText(query)}`);
  };
  return { node, show, focusItem, step, stepFlip, scroller,
    search: () => { drawer.open = true; panel.node.querySelector("#filter-text").focus(); },
    setNoted: rows.setNoted };
}

function sortChoice(run, sortBy) {
  const confidences = run.arms.flatMap((arm) => [
    [`score:${arm.arm}`, `Score of ${armText(arm)}, worst first`],
    [`-score:${arm.arm}`, `Score of ${armText(arm)}, best first`],
    [`confidence:${arm.arm}`, `Confidence of ${armText(arm)}, least first`],
    [`-confidence:${arm.arm}`, `Confidence of ${armText(arm)}, most first`]]);
  const known = [...SORTS, ...SORTS.slice(1).map(([name, word]) => [`-${name}`, `${word}, reversed`]), ...confidences];
  const field = element("select", { id: "sort", onchange: () => sortBy(field.value) },
    known.map(([value, word]) => element("option", { value }, word)));
  const node = element("div", { class: "field inline" }, element("label", { for: "sort" }, "Sort by"), field);
  return { node, sync: (query) => (field.value = query.get("sort") ?? "") };
}
