// A person's note on one item: the only thing that the page writes.

import { element } from "./dom.js";

/** The field of a note; it is saved by the button, by Ctrl+Enter, and when the field is left. */
export function noteOf({ item, run, source, announce, noteSaved }) {
  if (!run.writes_notes) {
    return { saveNow: () => {}, node: item.note ? notePart(element("p", { class: "verbatim" }, item.note)) : "" };
  }
  let saved = item.note ?? "";
  let queue = Promise.resolve(); // an older text must not arrive after a newer one
  const state = element("span", { class: "small", role: "status" });
  const field = element("textarea", { id: "note", rows: 3, "aria-label": "Note on this item", onchange: () => save(),
    onkeydown: (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
    } });
  field.value = saved;
  const save = () => (queue = queue.then(saveField));
  const saveField = async () => {
    const text = field.value;
    if (text === saved) return;
    state.textContent = "Saving …";
    state.classList.remove("bad");
    try {
      await source.saveNote(item.item, text);
      saved = text;
      state.textContent = text.trim() ? "Saved." : "Removed.";
      noteSaved(item.item, Boolean(text.trim()));
    } catch (error) {
      state.classList.add("bad");
      state.textContent = `Not saved: ${error.message}`;
      // Who has left the item no longer sees its field.
      if (!state.isConnected) announce(`The note on ${item.id} is not saved: ${error.message}`);
    }
  };
  return { saveNow: save, node: notePart(field, element("div", { class: "toolbar-buttons" },
    element("button", { type: "button", class: "plain", onclick: save }, "Save note"), state)) };
}

function notePart(...children) {
  return element("section", { class: "told-part note" }, element("h2", {}, "Note"), children);
}
