// Chooses light or dark before anything is drawn. Not a module, so that it runs first.
"use strict";

const THEMES = ["system", "light", "dark"];

function readTheme() {
  try {
    const kept = localStorage.getItem("safe-theme");
    return THEMES.includes(kept) ? kept : "system";
  } catch {
    return "system"; // a file opened from disk may have no storage
  }
}

function useTheme(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem("safe-theme", theme);
  } catch {
    // the choice then lasts as long as the page
  }
  const button = document.getElementById("theme");
  if (button) button.textContent = `Theme: ${theme}`;
}

useTheme(readTheme());
document.addEventListener("DOMContentLoaded", () => {
  let theme = readTheme();
  useTheme(theme);
  document.getElementById("theme").addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    useTheme(theme);
  });
});
