// Asks the server, once or for as long as somebody looks.

import { learn } from "./time.js";

const BASE = "api/v1/";
const TOKEN = "serin-token";
// The server says something every 15 seconds; when it is silent for longer the connection is dead.
const SILENCE = 40000;

/** Keeps the token for this tab alone, until it is closed. */
export function signIn(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

export function signedIn() {
  return sessionStorage.getItem(TOKEN) !== null;
}

function headers(more) {
  const token = sessionStorage.getItem(TOKEN);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

/** What the server answers when it does not do what was asked. */
export class Failure extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(BASE + path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure(0, "the dashboard does not answer; is it still running?");
  }
  learn(response);
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Failure(response.status, body.message ?? `the dashboard answers ${response.status}`);
}

export async function get(path) {
  return (await ask(path, { headers: headers({}) })).json();
}

export async function put(path, body) {
  const own = headers({ "Content-Type": "application/json", "X-Serin-Dashboard": "1" });
  return (await ask(path, { method: "PUT", headers: own, body: JSON.stringify(body) })).json();
}

/**
 * Follows a stream until `stop` is called; comes back when it breaks off, and rests while nobody looks at the tab.
 *
 * `on` has `result(value)`, `named(name, value)`, `live()`, `lost(failure)` and `refused(failure)`; after the last one
 * nothing follows.
 */
export function watch(path, on) {
  let stopped = false;
  let controller = null;
  let wake = () => {};
  const visible = () => {
    if (document.hidden) controller?.abort();
    else wake();
  };
  document.addEventListener("visibilitychange", visible);
  const rest = (milliseconds) => new Promise((done) => {
    wake = done;
    if (milliseconds !== null) setTimeout(done, milliseconds);
  });
  const follow = async () => {
    for (let failed = 0; !stopped; ) {
      if (document.hidden) await rest(null);
      if (stopped) return;
      controller = new AbortController();
      try {
        await read(path, controller, { ...on, live: () => { failed = 0; on.live(); } });
        failed = 0;
      } catch (failure) {
        if (stopped || document.hidden) continue;
        if ([401, 403, 404].includes(failure.status)) return on.refused(failure);
        on.lost(failure);
        failed += 1;
      }
      await rest(Math.min(15000, 500 * 2 ** failed));
    }
  };
  follow();
  return () => {
    stopped = true;
    controller?.abort();
    wake();
    document.removeEventListener("visibilitychange", visible);
  };
}

async function read(path, controller, on) {
  const own = { headers: headers({ Accept: "text/event-stream" }), signal: controller.signal };
  const response = await ask(path, own);
  on.live();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const silent = setTimeout(() => controller.abort(new Failure(0, "the dashboard has gone silent")), SILENCE);
    const { value, done } = await reader.read().finally(() => clearTimeout(silent));
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    events.forEach((event) => tell(event, on));
  }
}

function tell(event, on) {
  let name = "";
  let data = "";
  for (const line of event.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data += line.slice(5).trim();
  }
  if (data === "") return;
  if (name === "") on.result(JSON.parse(data).result);
  else on.named(name, JSON.parse(data));
}
