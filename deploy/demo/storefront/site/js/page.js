// What every page has: its foot, and a say when something goes wrong that nobody thought of.

import { standinUrl } from "./config.js";
import { $, el } from "./dom.js";

export function dress() {
  $("#foot").replaceChildren(
    el("p", {}, "KCT Menswear · 213 S Kalamazoo Mall, Kalamazoo"),
    standinUrl
      ? el("p", {}, "A demonstration: no goods, no money. Cards go to a stand-in for Stripe, so use test cards only.")
      : el("p", {}, "Payments by Stripe. Your card number never reaches us."),
  );
}

export function trouble(text, again) {
  return el("div", { class: "notice bad", role: "alert" },
    el("p", {}, text),
    again && el("button", { type: "button", class: "quiet", onclick: again }, "Try again"));
}

export const CLOSED = "The shop does not answer at the moment. Nothing is lost: please try again shortly.";
