// The keyboard, and the dialog that tells it.

import { element } from "./dom.js";
import { playOrPause } from "./sound.js";

const KEYS = [["j", "Next item, in the order of the list"], ["k", "Previous item"],
  ["f", "Next flip between the two arms that are compared"], ["Shift f", "Previous flip"],
  ["Space", "Play or pause the focused sound, or the first"], ["Enter", "Open the item"],
  ["n", "Write a note on the item"], ["/", "Search"], ["Esc", "Back to the list, at the same place"],
  ["?", "These keys"]];
const FIELDS = "input, textarea, select, [contenteditable]";
const PRESSED = "button, a, summary, audio, label";

/** Listens to keys for the views; `acts` says what each does in the view that is shown. */
export function listenToKeys(acts) {
  const dialog = document.getElementById("keys");
  dialog.querySelector("dl").replaceChildren(...KEYS.flatMap(([key, word]) => [
    element("dt", {}, key.split(" ").map((one) => element("kbd", {}, one))), element("dd", {}, word)]));
  const open = () => dialog.showModal();
  document.getElementById("help").addEventListener("click", open);
  document.getElementById("close-keys").addEventListener("click", () => dialog.close());

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open) return;
    const { target } = event;
    if (target.matches(FIELDS)) {
      if (event.key === "Escape") target.blur();
      // A check box is no field of text: letters pass, but Space is its own.
      if (!target.matches("input[type=checkbox], input[type=radio]") || event.key === " ") return;
      if (event.key === "Escape") return;
    }
    if (event.key === " ") {
      if (!target.closest(PRESSED) && playOrPause(acts.view())) event.preventDefault();
      return;
    }
    const act = { j: () => acts.step(1), k: () => acts.step(-1), f: () => acts.stepFlip(1), F: () => acts.stepFlip(-1),
      n: acts.note, "/": acts.search, "?": open, Escape: acts.back }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
