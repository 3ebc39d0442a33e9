"use strict";
(() => {
  const saved = JSON.parse(document.getElementById("saved").textContent);
  const key = "safe-spot-check-" + saved.identity;
  const pages = [...document.querySelectorAll(".pair")];
  const buttons = [...document.querySelectorAll("[data-verdict]")];
  let marks = {};
  let here = 0;
  try { marks = JSON.parse(localStorage.getItem(key)) || {}; } catch { marks = {}; }

  const keep = () => { try { localStorage.setItem(key, JSON.stringify(marks)); } catch { /* marks stay in the page */ } };
  const show = (place) => {
    pages[here].querySelector("audio")?.pause();
    here = Math.min(Math.max(place, 0), pages.length - 1);
    pages.forEach((page, number) => { page.hidden = number !== here; });
    buttons.forEach((button) => button.setAttribute("aria-pressed", String(marks[here] === button.dataset.verdict)));
    const marked = Object.keys(marks).length;
    document.getElementById("progress").value = marked;
    document.getElementById("count").textContent = marked + " of " + pages.length + " marked";
  };
  const mark = (verdict) => { marks[here] = verdict; keep(); show(here + 1); };
  const play = () => { const sound = pages[here].querySelector("audio"); if (sound) { sound.currentTime = 0; sound.play(); } };
  const annotations = () => saved.pairs
    .map((pair, number) => ({ ...pair, verdict: marks[number] }))
    .filter((pair) => pair.verdict);
  const link = document.getElementById("save");
  const save = () => {
    const content = { format_version: saved.format_version, datasets: saved.datasets, annotations: annotations() };
    link.href = URL.createObjectURL(new Blob([JSON.stringify(content, null, 1) + "\n"], { type: "application/json" }));
  };

  buttons.forEach((button) => button.addEventListener("click", () => mark(button.dataset.verdict)));
  document.getElementById("back").addEventListener("click", () => show(here - 1));
  document.getElementById("next").addEventListener("click", () => show(here + 1));
  document.getElementById("play").addEventListener("click", play);
  link.addEventListener("click", save);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const does = {
      a: () => mark("aligned"), m: () => mark("mismatched"), u: () => mark("unsure"),
      ArrowLeft: () => show(here - 1), ArrowRight: () => show(here + 1), " ": play, s: () => link.click(),
    }[event.key];
    if (does) { event.preventDefault(); does(); }
  });
  show(Math.max(0, pages.findIndex((_, number) => !(number in marks))));
})();
