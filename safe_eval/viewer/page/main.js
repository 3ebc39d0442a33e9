// Starts the page: chooses where its data come from, and shows the view that the address names.

import { element, failure } from "./dom.js";
import { filesSource } from "./files.js";
import { fragmentView } from "./fragments.js";
import { itemView } from "./item.js";
import { itemsView } from "./items.js";
import { listenToKeys } from "./keys.js";
import { readHash } from "./query.js";
import { serverSource } from "./server.js";

const TITLES = { overview: "Overview", items: "Items", item: "Item", training: "Training", compare: "Compare" };

function chosenSource() {
  const kind = document.querySelector("meta[name=source]")?.content ?? "server";
  return kind === "server" ? serverSource() : filesSource(kind);
}

/** Opens the run and shows the first view; says what failed, with a way to try again. */
async function start() {
  const main = document.getElementById("main");
  const source = chosenSource();
  let run;
  try {
    run = await source.run();
  } catch (error) {
    main.replaceChildren(failure(error, start));
    return;
  }
  document.getElementById("title").textContent = run.title;
  listen(run, source, main);
}

function listen(run, source, main) {
  const live = document.getElementById("live");
  // Emptied first, so that the same sentence twice is said twice.
  const announce = (text) => {
    live.textContent = "";
    requestAnimationFrame(() => (live.textContent = text));
  };
  const go = (hash, { replace = false } = {}) => {
    if (hash === location.hash) return;
    history[replace ? "replaceState" : "pushState"](null, "", hash);
    route();
  };
  const context = { run, source, go, announce, noteSaved: (item, isNoted) => views.items.setNoted(item, isNoted) };
  const views = {
    overview: fragmentView("overview", TITLES.overview, context),
    items: itemsView(context),
    item: itemView(context),
    training: fragmentView("training", TITLES.training, context),
    compare: fragmentView("compare", TITLES.compare, context),
  };
  let shown = null; // { view, query }
  let listed = null; // the query of the list that was left, and where it stood
  const sections = Object.entries(views).map(([name, view]) => element("div", { id: `view-${name}`, hidden: true },
    view.node));
  main.replaceChildren(...sections);

  const route = () => {
    // A place within a fragment is left to the browser, unless nothing is shown yet.
    const asked = readHash(location.hash) ?? (shown ? null : readHash(""));
    if (!asked) return;
    const { view, query } = asked;
    const before = shown;
    if (before?.view === "items" && view !== "items") {
      listed = { top: views.items.scroller.scrollTop, page: scrollY, from: null };
    }
    if (before?.view === "item") views.item.leave();
    shown = asked;
    for (const section of sections) section.hidden = section.id !== `view-${view}`;
    for (const link of document.querySelectorAll("header nav a")) {
      const isHere = link.dataset.view === (view === "item" ? "items" : view);
      if (isHere) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.body.dataset.view = view;
    document.title = `${TITLES[view]} · ${run.title}`;
    views[view].show(query);
    if (before?.view === view) return;
    if (view === "items") restore(before);
    else if (before && view !== "item") document.getElementById("main").focus({ preventScroll: true });
    if (before && view !== "items") scrollTo(0, 0);
  };
  const restore = (before) => {
    if (!listed) return;
    views.items.scroller.scrollTop = listed.top;
    scrollTo(0, listed.page);
    if (before?.view === "item") views.items.focusItem(views.item.number());
  };
  const within = (act) => ({ items: views.items, item: views.item })[shown?.view]?.[act];
  listenToKeys({
    view: () => main,
    step: (by) => within("step")?.(by),
    stepFlip: (by) => within("stepFlip")?.(by),
    note: () => shown?.view === "item" && document.getElementById("note")?.focus(),
    search: () => {
      if (shown?.view === "item") go(views.item.list());
      else if (shown?.view !== "items") go("#items");
      views.items.search();
    },
    back: () => shown?.view === "item" && go(views.item.list()),
  });
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  addEventListener("hashchange", route);
  addEventListener("popstate", route);
  addEventListener("pagehide", () => views.item.leave());
  route();
}

start();
