// The card form in front of the stand-in for Stripe: it does what Stripe.js does, with a publishable key and the client
// secret. FOR TEST CARDS ONLY: in a real shop no page of yours ever sees a card number; stripe-element.js is for that.

import { standinUrl } from "./config.js";
import { $, el, focus } from "./dom.js";

const TEST_CARDS = [
  ["4242 4242 4242 4242", "is paid"],
  ["4000 0000 0000 0002", "is declined"],
  ["4000 0000 0000 9995", "has not enough money"],
  ["4000 0000 0000 0069", "has expired"],
  ["4000 0000 0000 3220", "asks for 3-D Secure"],
  ["4100 0000 0000 0019", "is blocked as fraud"],
];

const FIELDS = {
  number: ["Card number", { autocomplete: "cc-number", placeholder: "1234 1234 1234 1234", maxlength: "23" }, "Enter the whole card number."],
  expiry: ["Expiry date", { autocomplete: "cc-exp", placeholder: "MM / YY", maxlength: "7" }, "Enter month and year, like 04 / 30."],
  cvc: ["Security code", { autocomplete: "cc-csc", placeholder: "CVC", maxlength: "4" }, "Enter the three or four digits."],
};

function field(name) {
  const [label, attributes] = FIELDS[name];
  return el("div", { class: name === "number" ? "field" : "field half" },
    el("label", { for: `card-${name}` }, label),
    el("input", { id: `card-${name}`, name, type: "text", inputmode: "numeric", "aria-required": "true", "aria-describedby": `card-${name}-error`, ...attributes }),
    el("p", { class: "error", id: `card-${name}-error`, hidden: true }));
}

export function mount(place) {
  const hint = el("details", { class: "hint" },
    el("summary", {}, "Test cards"),
    el("p", { class: "soft" }, "This shop is on a stand-in for Stripe. Choose a card to fill it in:"),
    el("ul", { role: "list" }, TEST_CARDS.map(([number, words]) => el("li", {},
      el("button", { type: "button", class: "quiet", onclick: () => type(number) }, el("code", {}, number), " ", words)))));
  const fields = el("div", { class: "fields" }, Object.keys(FIELDS).map(field));
  place.replaceChildren(fields, hint);

  function type(number) {
    const nextYear = String(new Date().getFullYear() + 2).slice(2);
    for (const [name, value] of Object.entries({ number, expiry: `12 / ${nextYear}`, cvc: "123" })) $(`#card-${name}`, place).value = value;
    check();
    $("#card-number", place).focus();
  }

  place.addEventListener("input", ({ target }) => {
    if (!target.value.endsWith(" ") && target.name === "number") target.value = target.value.replace(/\D/g, "").replace(/(.{4})(?=.)/g, "$1 ");
    if (target.name === "expiry") target.value = target.value.replace(/^(\d{2})\s*\/?\s*(\d{1,2})$/, "$1 / $2");
  });

  function read() {
    const given = Object.fromEntries(Object.keys(FIELDS).map((name) => [name, $(`#card-${name}`, place).value.trim()]));
    const [, month, year] = /^(\d{1,2})\s*\/\s*(?:20)?(\d{2})$/.exec(given.expiry) ?? [];
    return { number: given.number.replace(/\D/g, ""), month: Number(month), year: 2000 + Number(year), cvc: given.cvc };
  }

  function check() {
    const { number, month, year, cvc } = read();
    const wrong = { number: number.length < 13, expiry: !(month >= 1 && month <= 12 && year), cvc: !/^\d{3,4}$/.test(cvc) };
    for (const [name, isWrong] of Object.entries(wrong)) {
      const error = $(`#card-${name}-error`, place);
      error.textContent = isWrong ? FIELDS[name][2] : "";
      error.hidden = !isWrong;
      $(`#card-${name}`, place).setAttribute("aria-invalid", String(isWrong));
    }
    const first = Object.keys(wrong).find((name) => wrong[name]);
    if (first) focus($(`#card-${first}`, place));
    return !first;
  }

  return { check, pay: (placed, returnUrl) => pay(placed, returnUrl, read()) };
}

async function call(path, key, form, method = "POST") {
  const headers = { Authorization: `Bearer ${key}` };
  const asked = method === "GET" ? `?${new URLSearchParams(form)}` : "";
  const body = method === "GET" ? undefined : new URLSearchParams(form);
  const answer = await fetch(`${standinUrl}/v1/${path}${asked}`, { method, headers, body, signal: AbortSignal.timeout(20_000) });
  return { ok: answer.ok, ...(await answer.json()) };
}

// Answers {status, error}: the PaymentIntent's status, and why it did not work.
async function pay(placed, returnUrl, card) {
  const key = placed.publishable_key;
  let made;
  try {
    made = await call("payment_methods", key, {
      type: "card", "card[number]": card.number, "card[exp_month]": card.month, "card[exp_year]": card.year, "card[cvc]": card.cvc,
    });
  } catch {
    return { status: "requires_payment_method", error: { type: "api_error" } };
  }
  if (!made.ok) return { status: "requires_payment_method", error: made.error };
  let confirmed;
  try {
    const form = { payment_method: made.id, client_secret: placed.client_secret, return_url: returnUrl };
    confirmed = await call(`payment_intents/${placed.payment_intent_id}/confirm`, key, form);
  } catch {
    return await look(placed); // the answer got lost, maybe not the payment: what does the PaymentIntent say?
  }
  if (!confirmed.ok) return confirmed.error.payment_intent?.status === "requires_payment_method" || !confirmed.error.payment_intent
    ? { status: "requires_payment_method", error: confirmed.error }
    : { status: confirmed.error.payment_intent.status, error: null };
  return follow(confirmed);
}

function follow(intent) {
  const there = intent.next_action?.redirect_to_url?.url;
  if (intent.status === "requires_action" && there) location.assign(there);
  return { status: intent.status, error: intent.last_payment_error ?? null };
}

// How a payment stands, after an answer that got lost or the way back from the bank. Tries a few times.
export async function look({ payment_intent_id: id, client_secret: secret, publishable_key: key }) {
  for (let tries = 0; tries < 4; tries += 1) {
    try {
      const intent = await call(`payment_intents/${id}`, key, { client_secret: secret }, "GET");
      if (intent.ok) return intent.status === "requires_payment_method" && !intent.last_payment_error
        ? { status: intent.status, error: { type: "api_error" } }
        : { status: intent.status, error: intent.last_payment_error ?? null };
    } catch {
      // the line is still down
    }
    await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
  }
  return { status: "unknown", error: null };
}
