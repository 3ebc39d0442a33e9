// Players: a sound with its waveform, which shows and takes the place that plays.

import { drawn, element, mediaAddress } from "./dom.js";

const HEIGHT = 40;

/** A player of a sound, with its waveform and spectrogram if they are known; null without a sound. */
export function player({ sound, peaks, spectrogram, label }) {
  const address = mediaAddress(sound);
  const picture = mediaAddress(spectrogram);
  if (!address) return null;
  const audio = element("audio", { controls: true, preload: "none", src: address, "aria-label": label });
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  });
  const broken = element("p", { class: "small bad", hidden: true }, "This sound could not be loaded.");
  audio.addEventListener("error", () => (broken.hidden = false));
  return element("div", { class: "sound" },
    peaks?.length ? waveform(peaks, audio) : null,
    picture && element("img", { class: "spectrogram", src: picture, alt: `Spectrogram: ${label}`, loading: "lazy" }),
    audio, broken);
}

function waveform(peaks, audio) {
  const middle = HEIGHT / 2;
  const path = peaks.map((peak, place) => {
    const reach = Math.max(0.4, Math.min(1, Number(peak) || 0) * (middle - 1));
    return `M${place + 0.5} ${(middle - reach).toFixed(1)}v${(2 * reach).toFixed(1)}`;
  }).join("");
  const played = drawn("rect", { class: "played", x: 0, y: 0, width: 0, height: HEIGHT });
  const drawing = drawn("svg", { class: "waveform", viewBox: `0 0 ${peaks.length} ${HEIGHT}`,
    preserveAspectRatio: "none", "aria-hidden": "true" }, played, drawn("path", { d: path }));
  audio.addEventListener("timeupdate", () => {
    const done = audio.duration ? audio.currentTime / audio.duration : 0;
    played.setAttribute("width", String(peaks.length * done));
  });
  drawing.addEventListener("click", (event) => {
    const box = drawing.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    const seek = () => (audio.currentTime = part * audio.duration);
    if (Number.isFinite(audio.duration)) seek();
    else audio.addEventListener("loadedmetadata", seek, { once: true });
    audio.play().catch(() => {});
  });
  return drawing;
}

/** Plays or pauses the sound that has the focus, else the first of a view. */
export function playOrPause(view) {
  const audio = document.activeElement?.closest?.(".sound")?.querySelector("audio") ??
    [...view.querySelectorAll("audio")].find((one) => !one.paused) ?? view.querySelector("audio");
  if (!audio) return false;
  if (audio.paused) audio.play().catch(() => {});
  else audio.pause();
  return true;
}
