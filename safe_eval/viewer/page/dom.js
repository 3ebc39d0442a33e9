// Elements made of text. Nothing here reads markup: what comes from outside goes in as text or as an attribute.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners (names that begin with "on") and children: nodes, texts, or nothing. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for a drawing. */
export function drawn(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  const isNothing = (child) => child === null || child === undefined || child === false || child === "";
  node.append(...children.flat(3).filter((child) => !isNothing(child)));
  return node;
}

/** The address of a picture or a sound, or null if it would lead anywhere but into this page's folder. */
export function mediaAddress(address) {
  if (!address) return null;
  if (/^data:(image\/(png|jpeg|webp|gif)|audio\/[a-z0-9.+-]+);base64,/i.test(address)) return address;
  return /^media\/[\w./-]+$/.test(address) && !address.includes("..") ? address : null;
}

/** Puts text on the clipboard, and says whether that was possible. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** A message with a way to try again. */
export function failure(error, again) {
  return element("div", { class: "alarm", role: "alert" },
    element("p", {}, error.message || "Something went wrong."),
    again && element("button", { type: "button", class: "plain", onclick: again }, "Try again"));
}

/** Runs only the newest of several requests to the end: an older one is aborted, and its result is dropped. */
export function newest() {
  let running = null;
  return async (ask, use, fail) => {
    running?.abort();
    const own = new AbortController();
    running = own;
    try {
      const found = await ask(own.signal);
      if (running === own) use(found);
    } catch (error) {
      if (running === own && error.name !== "AbortError") fail(error);
    }
  };
}
