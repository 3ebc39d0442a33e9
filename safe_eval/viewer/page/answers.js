// What each arm answered to one item, and how the answer was read.

import { element } from "./dom.js";
import { armName, armText, flipOf, mark, plainNumber } from "./words.js";

const ARM_FACTS = [["gate_score", "gate score", ""], ["audio_tokens", "audio tokens", ""],
  ["influence_kl", "influence (KL)", ""], ["latency_ms", "latency", " ms"], ["gate_ms", "gate", " ms"]];

/** The table of answers: a row an arm. */
export function answersTable(item, run, pair) {
  const heads = ["Arm", "Outcome", "Answer as it came", "Read as", "Score", "Confidence", "Gate, tokens, time"];
  return element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "Answers" },
    element("table", { class: "answers stack", role: "table" },
      element("caption", { class: "hidden" }, "What each arm answered"),
      element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
        heads.map((head) => element("th", { scope: "col", role: "columnheader" }, head)))),
      element("tbody", { role: "rowgroup" }, item.arms.map((arm) => answerRow(arm, item, run, pair)))));
}

function answerRow(arm, item, run, pair) {
  const before = pair && arm.arm === pair.b ? item.arms.find((one) => one.arm === pair.a) : null;
  const flip = before && flipOf(before.outcome, arm.outcome);
  const cell = (label, ...children) => element("td", { role: "cell", "data-label": label },
    element("div", {}, children));
  const scores = Object.entries(arm.scores ?? {});
  const facts = ARM_FACTS.filter(([name]) => arm[name] !== null && arm[name] !== undefined);
  return element("tr", { role: "row", class: `answer-row ${arm.outcome}` },
    element("th", { scope: "row", role: "rowheader" }, armName(run.arms[arm.arm])),
    cell("Outcome", element("span", { class: "outcome-word" }, mark(arm.outcome), arm.outcome),
      flip && element("span", { class: `small flip ${flip}` }, flip === "gained" ? "▲ gained" : "▼ lost")),
    cell("Answer as it came", arm.answer === null ? element("span", { class: "small" }, "–")
      : element("span", { class: "verbatim" }, arm.answer === "" ? "(empty)" : arm.answer),
      arm.error && element("p", { class: "bad small" }, arm.error)),
    cell("Read as", element("strong", {}, arm.read_as ?? "–"),
      arm.rule && element("p", { class: "small" }, arm.rule)),
    cell("Score", scores.length > 1 || (scores.length && scores[0][1] !== arm.score)
      ? scores.map(([name, value]) => element("p", {}, `${plainNumber(value)} `,
        element("span", { class: "small" }, name)))
      : plainNumber(arm.score)),
    cell("Confidence", arm.confidence === null ? "–" : arm.confidence.toFixed(3),
      element("p", { class: "small" }, consulted(arm.consulted))),
    cell("Gate, tokens, time", facts.length ? facts.map(([name, word, unit]) =>
      element("p", { class: "small" }, `${word}: `, element("span", { class: "ink" }, plainNumber(arm[name]) + unit)))
      : "–"));
}

function consulted(value) {
  return value === true ? "consulted the sound" : value === false ? "did not consult the sound" : "";
}

/** The probabilities of the choices, as bars: a row a choice, a column an arm. Null if no arm told any. */
export function choicesTable(item, run) {
  const telling = item.arms.filter((arm) => arm.probabilities);
  const names = item.choices ?? [...new Set(telling.flatMap((arm) => Object.keys(arm.probabilities)))];
  if (!names.length) return null;
  if (!telling.length) {
    return element("ul", { class: "choices" }, names.map((name) => element("li", {}, name, expected(name, item))));
  }
  return element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "Choices" },
    element("table", { class: "choices" },
      element("caption", { class: "hidden" }, "The probability that each arm gave each choice"),
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Choice"),
        telling.map((arm) => element("th", { scope: "col" }, armName(run.arms[arm.arm]))))),
      element("tbody", {}, names.map((name) => element("tr", {},
        element("th", { scope: "row" }, name, expected(name, item)),
        telling.map((arm) => probability(name, arm, run)))))));
}

function expected(name, item) {
  return item.references.includes(name) ? element("span", { class: "small good" }, " expected") : null;
}

function probability(name, arm, run) {
  const value = arm.probabilities[name];
  if (value === null || value === undefined) return element("td", {}, "–");
  const most = Math.max(...Object.values(arm.probabilities));
  const bar = element("span", { class: `fill${value === most ? " most" : ""}` });
  bar.style.setProperty("--part", String(Math.max(0, Math.min(1, value))));
  return element("td", { title: armText(run.arms[arm.arm]) },
    element("span", { class: "probability" }, bar, element("span", {}, value.toFixed(3))));
}
