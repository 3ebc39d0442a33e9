// Overview, training and comparison: HTML that Python made, with links into the items.

import { element, failure, newest } from "./dom.js";

const NEVER = "script, style, iframe, object, embed, link, meta, base, form";

/** A view of one fragment, loaded when it is first shown. */
export function fragmentView(name, title, { source }) {
  const node = element("section", { class: "fragment", "aria-label": title });
  const ask = newest();
  let shown = null;
  const show = (query) => {
    const key = query.toString();
    if (shown === key) return;
    if (!node.hasChildNodes()) node.append(element("p", { class: "small loading" }, "Loading …"));
    ask((signal) => source.fragment(name, query, signal), (text) => {
      shown = key;
      node.replaceChildren(element("h1", { class: "hidden" }, title), ...parsed(text));
    }, (error) => node.replaceChildren(element("h1", { class: "hidden" }, title),
      failure(error, () => { node.replaceChildren(); show(query); })));
  };
  return { node, show };
}

/** The nodes of a fragment. It is ours and holds no script; what could run is left out all the same. */
function parsed(text) {
  const { body } = new DOMParser().parseFromString(text, "text/html");
  for (const found of body.querySelectorAll(NEVER)) found.remove();
  for (const found of body.querySelectorAll("*")) {
    for (const { name, value } of [...found.attributes]) {
      const leads = ["href", "xlink:href", "src"].includes(name) && /^\s*(javascript|data|vbscript):/i.test(value);
      if (leads || name.startsWith("on")) found.removeAttribute(name);
    }
  }
  return [...body.childNodes].map((child) => document.importNode(child, true));
}
