// One item in full.

import { answersTable, choicesTable } from "./answers.js";
import { copied, element, failure, newest } from "./dom.js";
import { noteOf } from "./note.js";
import { changed, flipKind, hashOf, itemHash, pairOf } from "./query.js";
import { mediaOf } from "./sent.js";
import { armText, mark } from "./words.js";

const LONG_PROMPT = 160; // characters
const ITEM_FACTS = [["dataset", "Dataset"], ["split", "Split"], ["task", "Task"], ["type", "Question type"]];

/** The view: its element, `show(query)`, `step(by)`, `stepFlip(by)`. */
export function itemView({ run, source, go, announce, noteSaved }) {
  const node = element("section", { class: "item-view", "aria-label": "Item" });
  const ask = newest();
  const askNext = newest();
  let query = null;
  let number = null;
  let note = null;

  const show = (now) => {
    query = now;
    const asked = Number(now.get("item"));
    if (asked === number && node.querySelector("h1")) return;
    note?.saveNow();
    number = asked;
    node.classList.add("waiting");
    ask((signal) => source.item(asked, signal), (item) => draw(item), (error) => {
      node.classList.remove("waiting");
      node.replaceChildren(element("p", {}, backLink()), failure(error, () => { number = null; show(query); }));
    });
  };
  const backLink = () =>
    element("a", { href: hashOf("items", changed(query, { item: null })), class: "back" }, "← Items");
  const move = (by, flip) => {
    const pair = pairOf(query, run);
    if (flip && !pair) return;
    const wanted = flip ? `${pair.a}:${pair.b}:${flipKind(query, pair) ?? "any"}` : null;
    const what = flip ? `flip between ${armText(run.arms[pair.a])} and ${armText(run.arms[pair.b])}` : "item";
    askNext((signal) => source.next(changed(query, { item: null }), number, by, wanted, signal),
      (item) => (item === null ? announce(`No ${by > 0 ? "further" : "earlier"} ${what}.`) : go(itemHash(item, query))),
      (error) => announce(error.message));
  };
  const draw = (item) => {
    const pair = pairOf(query, run);
    node.classList.remove("waiting");
    note = noteOf({ item, run, source, announce, noteSaved });
    const asked = item.prompt || item.id;
    const heading = element("h1", { tabindex: "-1", class: asked.length > LONG_PROMPT ? "long" : null }, asked);
    node.replaceChildren(tools(), element("header", { class: "asked" }, heading, expectation(item), facts(item)),
      element("div", { class: "item-body" },
        section("Heard and seen", mediaOf(item, run)),
        element("div", { class: "item-told" },
          section("Answers", answersTable(item, run, pair)),
          choices(item), note.node, neighbours(item))));
    document.title = `${item.id} · ${run.title}`;
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  };
  const tools = () => {
    const button = (word, keys, act) =>
      element("button", { type: "button", class: "plain", "aria-keyshortcuts": keys, onclick: act }, word);
    return element("div", { class: "toolbar item-bar" }, backLink(), element("div", { class: "toolbar-buttons" },
      button("Previous", "k", () => move(-1, false)), button("Next", "j", () => move(1, false)),
      run.arms.length > 1 && [button("Previous flip", "Shift+F", () => move(-1, true)),
        button("Next flip", "f", () => move(1, true))],
      button("Copy link", "", async () =>
        announce((await copied(location.href)) ? "The link is copied." : "The link is in the address bar."))));
  };
  const link = (name, value) => element("a", { href: hashOf("items", new URLSearchParams([[name, value]])) }, value);
  const facts = (item) => {
    const audio = { true: "needs its sound", false: "does not need its sound" }[String(item.needs_audio)];
    const pairs = [["Id", item.id], ...ITEM_FACTS.map(([name, title]) => [title, item[name]]),
      ["Group", item.group && link("group", item.group)], ["Record", item.record && link("record", item.record)],
      ["Sound", audio]];
    return element("dl", { class: "facts-line" }, pairs.filter(([, value]) => value).map(([title, value]) =>
      element("div", {}, element("dt", {}, title), element("dd", {}, value))));
  };
  const choices = (item) => {
    const table = choicesTable(item, run);
    return table && section("Choices", table);
  };
  const neighbours = (item) => item.neighbours.length === 0 ? null : section(`Others of this group`,
    element("ul", { class: "neighbours" }, item.neighbours.map((other) => element("li", {},
      element("a", { href: itemHash(other.item, query) }, other.prompt || other.id),
      element("span", { class: "marks" }, other.outcomes.map((outcome, arm) =>
        element("span", { title: `${armText(run.arms[arm])}: ${outcome}` }, mark(outcome),
          element("span", { class: "hidden" }, `${run.arms[arm].title}: ${outcome} `))))))));
  return { node, show, step: (by) => move(by, false), stepFlip: (by) => move(by, true), number: () => number,
    leave: () => note?.saveNow(), list: () => hashOf("items", changed(query, { item: null })) };
}

function section(title, ...children) {
  return element("section", { class: "told-part" }, element("h2", {}, title), children);
}

function expectation(item) {
  if (!item.references.length) return null;
  return element("p", { class: "references" }, element("span", { class: "small" }, "Expected "),
    item.references.map((text, place) => [place ? " / " : "", element("strong", {}, text)]));
}
