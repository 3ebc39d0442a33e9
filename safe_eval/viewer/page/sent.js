// The picture and the sound of an item: as stored, and as each condition sent them.

import { element, mediaAddress } from "./dom.js";
import { player } from "./sound.js";
import { armText } from "./words.js";

const CHECKED = new Map([[true, ["good", "The hash is that of the row."]],
  [false, ["bad", "The hash differs from that of the row: the arm was sent something else."]],
  [null, ["", "The row has no hash to check."]]]);

/** What is stored, and what was sent where that differs. */
export function mediaOf(item, run) {
  const same = item.arms.filter((arm) => arm.sent && arm.sent.said === null);
  const other = item.arms.filter((arm) => arm.sent && arm.sent.said !== null);
  const likeStored = same.find((arm) => arm.sent.peaks) ?? same[0];
  const stored = element("figure", { class: "media-card stored" },
    element("figcaption", {}, element("strong", {}, "As stored"),
      same.length > 0 && element("span", { class: "small" }, `sent so to ${listed(same, run)}`)),
    picture(item.media.picture, `Picture of ${item.id}`),
    player({ sound: item.media.sound, peaks: likeStored?.sent.peaks, spectrogram: likeStored?.sent.spectrogram,
      label: "the sound as stored" }),
    !item.media.picture && !item.media.sound && element("p", { class: "small" }, "No picture and no sound is stored."),
    same.length > 0 && checks(same, run), notes(item.media.notes), notes(same.flatMap((arm) => arm.sent.notes ?? [])));
  return element("div", { class: "media" }, stored, sameSent(other, run).map((arms) => sentCard(arms, item, run)));
}

/** Arms that were sent the same, told by condition, seed and words. */
function sameSent(arms, run) {
  const kinds = new Map();
  for (const arm of arms) {
    const { condition, seed } = run.arms[arm.arm];
    const key = JSON.stringify([condition, seed, arm.sent.said]);
    kinds.set(key, [...(kinds.get(key) ?? []), arm]);
  }
  return [...kinds.values()];
}

function sentCard(arms, item, run) {
  const { sent } = arms[0];
  const { condition, seed } = run.arms[arms[0].arm];
  const ownPicture = sent.picture !== null && sent.picture !== item.media.picture;
  return element("figure", { class: "media-card sent" },
    element("figcaption", {}, element("strong", {}, sent.said),
      element("span", { class: "small" }, `${condition}, seed ${seed}: sent to ${listed(arms, run)}`)),
    ownPicture && picture(sent.picture, `Picture of ${item.id} as sent: ${sent.said}`),
    player({ ...sent, label: `the sound as sent: ${sent.said}` }),
    !sent.sound && !ownPicture && element("p", { class: "small" }, "Nothing was sent that could be shown."),
    checks(arms, run), notes(arms.flatMap((arm) => arm.sent.notes ?? [])));
}

function picture(address, words) {
  const safe = mediaAddress(address);
  if (!safe) return null;
  const image = element("img", { class: "picture", src: safe, alt: words });
  // A picture of a few pixels is one of a made world: keep its edges.
  image.addEventListener("load", () => image.classList.toggle("pixelated", image.naturalWidth < 100));
  image.addEventListener("error", () =>
    image.replaceWith(element("p", { class: "small bad" }, "This picture could not be loaded.")));
  return image;
}

function checks(arms, run) {
  const kinds = [...CHECKED].map(([value, [tone, words]]) =>
    [arms.filter((arm) => (arm.sent.checked ?? null) === value), tone, words]).filter(([found]) => found.length);
  return kinds.map(([found, tone, words]) => element("p", { class: `small check ${tone}` },
    kinds.length > 1 ? `${listed(found, run)}: ${words}` : words));
}

function notes(lines) {
  return [...new Set(lines ?? [])].map((line) => element("p", { class: "small" }, line));
}

function listed(arms, run) {
  return arms.map((arm) => armText(run.arms[arm.arm])).join("; ");
}
