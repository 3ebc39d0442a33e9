// What the statistics say of the items that are filtered. The numbers come from Python; none is computed here.

import { element } from "./dom.js";
import { changed, hashOf } from "./query.js";
import {
  areFractions, armName, armText, counted, difference, interval, intervalBar, pValue, share,
} from "./words.js";

/** The head of the table: one column an arm, with its accuracy; a click on it sorts. */
export function tableHead(run, query, statistics, sortBy) {
  const sort = query.get("sort") ?? "";
  const sorted = (name) => (sort === name ? "ascending" : sort === `-${name}` ? "descending" : null);
  const arrow = (name) => ({ ascending: " ↑", descending: " ↓" })[sorted(name)] ?? "";
  const head = (name, label, attributes, ...rest) =>
    element("th", { role: "columnheader", scope: "col", "aria-sort": sorted(name), ...attributes },
      element("button", { type: "button", class: "sort", onclick: () => sortBy(name), "data-sort": name },
        label, element("span", { "aria-hidden": "true" }, arrow(name))), rest);
  return element("tr", { role: "row" },
    head("id", "Item", { class: "stick item-cell" }),
    element("th", { role: "columnheader", scope: "col", class: "expected" }, "Expected"),
    run.arms.map((arm) => head(`score:${arm.arm}`, armName(arm), { class: arm.arm === 0 ? "stick second" : null },
      accuracy(statistics, arm.arm))));
}

function accuracy(statistics, arm) {
  const found = statistics?.arms.find((one) => one.arm === arm);
  if (!found) return element("span", { class: "accuracy" }, element("span", { class: "small" }, "…"));
  const fractions = areFractions(statistics.arms);
  return element("span", { class: "accuracy" },
    element("strong", {}, share(found.accuracy, fractions)), " ",
    element("span", { class: "small nobreak" }, interval(found.low, found.high, fractions)),
    fractions && intervalBar(found.accuracy, found.low, found.high));
}

/** The count, the pair of arms that is compared, and how far to trust both. */
export function summaryOf(run, query, pair, statistics) {
  return [
    pair && statistics.pair ? pairLine(run, query, pair, statistics) : null,
    element("ul", { class: "arm-list" }, run.arms.map((arm) =>
      element("li", {}, armName(arm), accuracy(statistics, arm.arm)))),
    statistics.said && element("p", { class: "small said" }, statistics.said),
  ].filter(Boolean);
}

function pairLine(run, query, pair, statistics) {
  const { pair: found } = statistics;
  const fractions = areFractions(statistics.arms);
  const link = (kind, count) =>
    element("a", { href: hashOf("items", changed(query, { ...pair, flip: `${pair.a}:${pair.b}:${kind}` })),
      class: `flip ${kind}` }, `${kind === "gained" ? "▲" : "▼"} ${counted(count)} ${kind}`);
  return element("p", { class: "pair" },
    element("span", { class: "pair-arms" }, armText(run.arms[pair.a]), " → ", armText(run.arms[pair.b])),
    link("gained", found.gained), link("lost", found.lost),
    element("span", {}, element("strong", {}, difference(found.difference, fractions)), " ",
      element("span", { class: "small nobreak" }, interval(found.low, found.high, fractions))),
    element("span", {}, pValue(found.p), found.test && element("span", { class: "small" }, ` ${found.test}`)));
}

/** "312 of 792 items, in 120 groups". */
export function countText(run, count, groups) {
  const found = count === run.items ? counted(count, "item") : `${counted(count)} of ${counted(run.items, "item")}`;
  return groups === null || groups === undefined ? found : `${found}, in ${counted(groups, "group")}`;
}
