// Decides which page the address names, and keeps what all pages share: who one is, and whether what is shown is live.

import { get, signIn, signedIn } from "./api.js";
import { detail } from "./detail.js";
import { h, show } from "./dom.js";
import { list } from "./list.js";
import { away } from "./time.js";

const main = document.getElementById("main");
let leave = () => {};
let notes = [];
let lost = null;

/** What pages tell about their stream, and what they may know. */
const frame = {
  session: { actions: false },
  live() {
    lost = null;
    status();
  },
  lost(failure) {
    lost ??= { since: new Date().toISOString() };
    lost.message = failure.message;
    status();
  },
  refused(failure) {
    if (failure.status === 401) return signInPage(failure.message);
    show(main, h("h1", {}, failure.status === 404 ? "Not found" : "Not allowed"), h("p", {}, sentence(failure.message)),
      h("p", {}, h("a", { href: "./" }, "All rollouts")));
  },
  notes(now) {
    notes = now;
    status();
  },
};

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function status() {
  const connection = document.getElementById("connection");
  connection.className = lost ? "connection lost" : "connection";
  show(connection, h("span", {}, lost ? "not connected" : "live"));
  const trouble = lost && h("p", { class: "banner" }, "What is shown may be old: ", lost.message, " (", away(lost.since, "for"), "). Trying again.");
  show(document.getElementById("banners"), trouble, notes.map((note) => h("p", { class: "banner" }, sentence(note))));
}

function page() {
  leave();
  document.title = "Rollouts";
  const [kind, namespace, name] = location.pathname.slice(base().length).split("/").map(decodeURIComponent);
  leave = kind === "rollout" && name ? detail(main, namespace, name, frame) : list(main, frame);
}

function base() {
  return new URL(document.baseURI).pathname;
}

async function begin() {
  try {
    frame.session = await get("session");
  } catch (failure) {
    if (failure.status === 401) return signInPage(signedIn() ? failure.message : "");
    frame.lost(failure);
    return setTimeout(begin, 3000);
  }
  const { user, actions, server, version } = frame.session;
  const role = actions ? "changes allowed" : "read-only";
  const who = document.getElementById("who");
  show(who, h("span", { title: `${server ?? ""} · Serin ${version}` }, user ? `${user} · ${role}` : role),
    user && h("button", { class: "plain", onclick: () => { signIn(null); signInPage(""); } }, "Sign out"));
  page();
}

function signInPage(message) {
  leave();
  leave = () => {};
  show(document.getElementById("who"));
  const field = h("input", { id: "token", type: "password", autocomplete: "off", required: true, spellcheck: "false" });
  const form = h("form", { class: "card sign-in", onsubmit: (event) => {
    event.preventDefault();
    signIn(document.getElementById("token").value.trim());
    begin();
  } },
  h("h1", {}, "Sign in"),
  message && h("p", { class: "error" }, sentence(message)),
  h("label", { for: "token" }, "Token of the cluster"), field,
  h("p", { class: "quiet" }, "For example from ", h("code", {}, "kubectl create token NAME"),
    ". It is kept in this tab until it is closed, and sent to this dashboard only."),
  h("button", { class: "primary" }, "Sign in"));
  main.replaceChildren(form);
  document.getElementById("token").focus();
}

// Links between pages need no new document: the stream of the session and the scripts stay.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  const modified = event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey;
  if (!link || modified || link.origin !== location.origin || !link.pathname.startsWith(base())) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  page();
  main.focus();
  scrollTo(0, 0);
});
addEventListener("popstate", page);
begin();
