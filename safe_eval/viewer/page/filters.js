// The filters beside the items. Each control writes the query; `sync` shows what the query says.

import { element } from "./dom.js";
import { changed, flipKind, pairOf } from "./query.js";
import { OUTCOMES, armText, counted, mark } from "./words.js";

const TYPING_PAUSE_MS = 250;
const MANY_VALUES = 12;
const KINDS = [["", "All"], ["any", "Changed"], ["gained", "Gained"], ["lost", "Lost"]];
const CONSULTED = [["", "Either"], ["yes", "Listened"], ["no", "Did not"]];

/** The panel of filters: its element, and `sync(query)`. */
export function filterPanel({ run, source, query, use }) {
  const parts = [
    textPart("text", "Search prompts and answers", { query, use }, "search"),
    comparisonPart(run, query, use),
    outcomePart(run, query, use),
    ...run.facets.map((facet) => facetPart(facet, query, use)),
    listeningPart(run, query, use),
    placePart(query, use),
    metricPart(run, source, query, use),
  ].filter(Boolean);
  const panel = element("form", { class: "filters", "aria-label": "Filters",
    onsubmit: (event) => event.preventDefault() }, parts.map((one) => one.node));
  return { node: panel, sync: (now) => parts.forEach((one) => one.sync(now)) };
}

function part(title, node, open, ...children) {
  return element("details", { class: "part", open }, element("summary", {}, title), node, children);
}

/** A field of text: a search waits until typing rests, an exact name until the field is left. */
function textPart(name, label, { query, use }, type = "text") {
  let waiting = null;
  const apply = () => {
    waiting = null;
    // Who has left the list meanwhile is not brought back to it.
    if (field.checkVisibility()) use(changed(query(), { [name]: field.value.trim() }), true);
  };
  const typed = () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, TYPING_PAUSE_MS);
  };
  const field = element("input", { type, id: `filter-${name}`, autocomplete: "off", spellcheck: "false",
    oninput: type === "search" ? typed : null, onchange: type === "search" ? null : apply });
  const sync = (now) => {
    const value = now.get(name) ?? "";
    // What is being typed is newer than what the address says.
    if (waiting === null && field.value.trim() !== value) field.value = value;
  };
  return { node: element("div", { class: "field" }, element("label", { for: field.id }, label), field), sync };
}

function armChoice(run, label, id, onchange) {
  const field = element("select", { id, onchange },
    run.arms.map((arm) => element("option", { value: arm.arm }, armText(arm))));
  return { field, node: element("div", { class: "field" }, element("label", { for: id }, label), field) };
}

/** One of a few choices, as buttons that are radio buttons. */
function choice(name, legend, kinds, onchange) {
  const fields = kinds.map(([value]) =>
    element("input", { type: "radio", name, id: `${name}-${value || "all"}`, value, onchange: () => onchange(value) }));
  const node = element("fieldset", { class: "choice" }, element("legend", {}, legend),
    kinds.map(([value, word], place) =>
      [fields[place], element("label", { for: `${name}-${value || "all"}` }, word)]));
  return { node, sync: (value) => fields.forEach((field) => (field.checked = field.value === (value ?? ""))) };
}

function comparisonPart(run, query, use) {
  if (run.arms.length < 2) return null;
  const pairChanged = () => {
    const kind = flipKind(query(), pairOf(query(), run));
    const pair = { a: a.field.value, b: b.field.value };
    use(changed(query(), { ...pair, flip: kind && pair.a !== pair.b ? `${pair.a}:${pair.b}:${kind}` : null }));
  };
  const a = armChoice(run, "From", "filter-a", pairChanged);
  const b = armChoice(run, "To", "filter-b", pairChanged);
  const kinds = choice("flip", "Flips", KINDS, (kind) => {
    const pair = pairOf(query(), run);
    use(changed(query(), { ...pair, flip: kind ? `${pair.a}:${pair.b}:${kind}` : null }));
  });
  const sync = (now) => {
    const pair = pairOf(now, run);
    a.field.value = pair.a;
    b.field.value = pair.b;
    kinds.sync(flipKind(now, pair));
  };
  return { node: part("Compare two arms", [a.node, b.node, kinds.node], true), sync };
}

function outcomesAsked(query, arm) {
  const found = query.getAll("outcome").find((value) => value.startsWith(`${arm}:`));
  return found ? found.slice(String(arm).length + 1).split(",") : [];
}

function outcomePart(run, query, use) {
  const fields = [];
  const asked = (arm) => OUTCOMES.filter((word) =>
    fields.some((one) => one.arm === arm && one.word === word && one.field.checked));
  const write = () => {
    const values = run.arms.map(({ arm }) => [arm, asked(arm)]).filter(([, words]) => words.length);
    use(changed(query(), { outcome: values.map(([arm, words]) => `${arm}:${words.join(",")}`) }));
  };
  const row = (arm) => element("tr", {}, element("th", { scope: "row" }, armText(arm)), OUTCOMES.map((word) => {
    const field = element("input", { type: "checkbox", "aria-label": `${armText(arm)}: ${word}`, onchange: write });
    fields.push({ arm: arm.arm, word, field });
    return element("td", {}, field);
  }));
  const heads = OUTCOMES.map((word) =>
    element("th", { scope: "col", title: word }, mark(word), element("span", { class: "hidden" }, word)));
  const table = element("table", { class: "outcomes" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Arm"), heads)),
    element("tbody", {}, run.arms.map(row)));
  const sync = (now) => fields.forEach(({ arm, word, field }) => {
    field.checked = outcomesAsked(now, arm).includes(word);
  });
  return { node: part("Outcome", element("div", { class: "wide" }, table), true), sync };
}

function facetPart(facet, query, use) {
  const fields = [];
  const write = () =>
    use(changed(query(), { [facet.name]: fields.filter((field) => field.checked).map((field) => field.value) }));
  const rows = facet.values.map(({ value, items }) => {
    const field = element("input", { type: "checkbox", value, onchange: write });
    fields.push(field);
    return element("li", {}, element("label", {}, field, element("span", { class: "value" }, value || "(none)"), " ",
      element("span", { class: "count" }, counted(items))));
  });
  const narrow = facet.values.length > MANY_VALUES && element("input", { type: "search", class: "narrow",
    "aria-label": `Find in ${facet.title}`, placeholder: "Find a value",
    oninput: (event) => {
      const words = event.target.value.toLowerCase();
      rows.forEach((row, place) => (row.hidden = !facet.values[place].value.toLowerCase().includes(words)));
    } });
  const list = element("ul", { class: "values", "aria-label": facet.title }, rows);
  const sync = (now) => {
    const asked = new Set(now.getAll(facet.name));
    fields.forEach((field) => (field.checked = asked.has(field.value)));
  };
  return { node: part(facet.title, [narrow || "", list], facet.values.length <= MANY_VALUES), sync };
}

/** Consulted and confidence, of one arm at a time. */
function listeningPart(run, query, use) {
  const arm = armChoice(run, "Of", "filter-listening", () => sync(query()));
  const rest = (name) => query().getAll(name).filter((value) => !value.startsWith(`${arm.field.value}:`));
  const consulted = choice("consulted", "Consulted the sound", CONSULTED, (word) =>
    use(changed(query(), { consulted: [...rest("consulted"), ...(word ? [`${arm.field.value}:${word}`] : [])] })));
  const confidenceChanged = () => {
    const [least, most] = [low, high].map((field) => field.value.trim());
    const asked = least || most ? [`${arm.field.value}:${least || 0}:${most || 1}`] : [];
    use(changed(query(), { confidence: [...rest("confidence"), ...asked] }));
  };
  const number = (id, placeholder) => element("input", { type: "number", id, min: 0, max: 1, step: "any", placeholder,
    onchange: confidenceChanged });
  const low = number("filter-low", "0");
  const high = number("filter-high", "1");
  const range = element("fieldset", { class: "between" }, element("legend", {}, "Confidence"),
    element("label", { for: low.id }, "from"), low, element("label", { for: high.id }, "to"), high);
  const sync = (now) => {
    const own = (name) => now.getAll(name).find((value) => value.startsWith(`${arm.field.value}:`))?.split(":") ?? [];
    consulted.sync(own("consulted")[1]);
    const [, least, most] = own("confidence");
    low.value = least ?? "";
    high.value = most ?? "";
  };
  return { node: part("Listening and confidence", [arm.node, consulted.node, range], false), sync };
}

function placePart(query, use) {
  const group = textPart("group", "Group", { query, use });
  const record = textPart("record", "Record", { query, use });
  const noted = element("input", { type: "checkbox",
    onchange: () => use(changed(query(), { noted: noted.checked ? "yes" : null })) });
  const label = element("label", { class: "check" }, noted, "With a note");
  const sync = (now) => {
    group.sync(now);
    record.sync(now);
    noted.checked = now.get("noted") === "yes";
  };
  return { node: part("Group, record, notes", [group.node, record.node, label], false), sync };
}

function metricPart(run, source, query, use) {
  if (!source.answersAll || run.metrics.length < 2) return null;
  const field = element("select", { id: "filter-metric",
    onchange: () => use(changed(query(), { metric: field.value })) },
    element("option", { value: "" }, "As judged"),
    run.metrics.map((name) => element("option", { value: name }, name)));
  const node = element("div", { class: "field" }, element("label", { for: field.id }, "Metric"), field);
  return { node, sync: (now) => (field.value = now.get("metric") ?? "") };
}
