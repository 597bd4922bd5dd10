// Says moments in words, by the clock of the server; all times are UTC, as in the reasons of analyses and in the CLI.

import { h } from "./dom.js";

let ahead = 0;

/** Learns the clock of the server from an answer. */
export function learn(response) {
  const date = Date.parse(response.headers.get("date") ?? "");
  if (!Number.isNaN(date)) ahead = date + 500 - Date.now();
}

export function now() {
  return Date.now() + ahead;
}

/** A span in its two largest units: `45s`, `3m11s`, `2h5m`, `3d4h`. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const units = [[86400, "d", 3600, "h"], [3600, "h", 60, "m"], [60, "m", 1, "s"]];
  for (const [large, word, small, rest] of units) {
    if (seconds < large) continue;
    const left = Math.floor((seconds % large) / small);
    return `${Math.floor(seconds / large)}${word}${left > 0 ? `${left}${rest}` : ""}`;
  }
  return `${seconds}s`;
}

/** The time of day, with the date when it is another day. */
export function clock(moment) {
  const text = new Date(moment).toISOString();
  const today = new Date(now()).toISOString().slice(0, 10);
  return `${text.slice(0, 10) === today ? "" : `${text.slice(0, 10)} `}${text.slice(11, 19)} UTC`;
}

const WORDS = {
  ago: (moment) => `${span(now() - moment)} ago`,
  for: (moment) => `for ${span(now() - moment)}`,
  age: (moment) => span(now() - moment),
  left: (moment) => (moment > now() ? `in ${span(moment - now())}` : `due for ${span(now() - moment)}`),
};

/** How far a moment is away, kept up to date. */
export function away(text, word) {
  const moment = Date.parse(text);
  return h("time", { datetime: text, title: clock(moment), "data-word": word }, WORDS[word](moment));
}

/** A moment and how far it is away: `14:07:12 UTC, 3m11s ago`. */
export function moment(text, word) {
  return [clock(Date.parse(text)), ", ", away(text, word)];
}

setInterval(() => {
  for (const time of document.querySelectorAll("time[data-word]")) {
    const text = WORDS[time.dataset.word](Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
  for (const bar of document.querySelectorAll("[data-from][data-to]")) {
    const [from, to] = [Date.parse(bar.dataset.from), Date.parse(bar.dataset.to)];
    const part = to > from ? Math.min(100, Math.max(0, ((now() - from) / (to - from)) * 100)) : 100;
    bar.style.setProperty("--part", `${part}%`);
  }
}, 1000);
