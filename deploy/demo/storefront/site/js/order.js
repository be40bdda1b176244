// An order by its link: how it stands, live; after a payment that failed, the way back to the till.

import { givenBack, parts } from "./amounts.js";
import * as api from "./api.js";
import * as basket from "./basket.js";
import { forgetAddress } from "./address.js";
import { standinUrl } from "./config.js";
import { $, el, focus, show } from "./dom.js";
import { follow } from "./live.js";
import { price } from "./money.js";
import { dress } from "./page.js";
import { isPlacing, keepSubmitted, keepToken, msSinceSubmitted, orderLink, placing, settled, tokenOf } from "./placing.js";
import { failureText, keptUntil, ORDER, PARCEL } from "./words.js";

// Longer than a webhook usually takes; afterwards the page stops promising.
const CONFIRMING_MS = 90_000;

const asked = new URLSearchParams(location.search);
const id = asked.get("id") ?? "";
const token = decodeURIComponent(location.hash.slice(1)) || tokenOf(id);
if (asked.has("paid")) keepSubmitted(id, true);
let isConfirming = msSinceSubmitted(id) < CONFIRMING_MS;
let failure = null; // why the payment that we come from failed
let shown = "";

function lines(order) {
  const place = $("#lines");
  place.hidden = false;
  show(place,
    el("h2", { id: "lines-title" }, "What you ordered"),
    el("ul", { class: "rows", role: "list" }, order.lines.map((line) => el("li", { class: "row plain" },
      el("div", { class: "what" }, el("strong", {}, line.name), el("span", { class: "soft" }, `${line.quantity} × ${line.variant}`)),
      el("span", { class: "sum" }, price(line.line_total_minor, order.currency))))),
    parts(order),
    el("p", { class: "total" }, el("span", {}, "Total"), el("strong", {}, price(order.total_minor, order.currency))),
    givenBack(order));
}

function parcels(order) {
  const place = $("#parcels");
  place.hidden = order.parcels.length === 0;
  show(place,
    el("h2", { id: "parcels-title" }, order.parcels.length === 1 ? "Your parcel" : "Your parcels"),
    el("ul", { class: "rows", role: "list" }, order.parcels.map((parcel) => el("li", { class: "row plain" },
      el("div", { class: "what" },
        el("strong", {}, parcel.carrier, parcel.tracking_number && " ", parcel.tracking_number && tracking(parcel)),
        el("span", { class: "soft" }, Object.entries(parcel.lines).map(([at, pieces]) => `${pieces} × ${order.lines[at].name}`).join(", "))),
      el("span", { class: "sum" }, PARCEL[parcel.state])))));
}

function tracking(parcel) {
  if (!parcel.tracking_url) return parcel.tracking_number;
  return el("a", { href: parcel.tracking_url, rel: "noreferrer" }, parcel.tracking_number);
}

// One of the keys of ORDER. An event can be older than what this page knows of its own payment.
function stateOf(order) {
  if (order.held) return "held";
  if (order.payment === "failed" && isConfirming) return "confirming"; // an earlier card's refusal
  if (order.payment === "awaiting" && isConfirming) return "confirming";
  if (order.payment === "awaiting" && failure) return "failed";
  if (order.payment === "paid" && order.refunded_minor >= order.total_minor) return "refunded";
  if (order.payment === "paid" && Object.hasOwn(ORDER, order.fulfilment)) return order.fulfilment;
  return Object.hasOwn(ORDER, order.payment) ? order.payment : "processing";
}

function state(order) {
  const name = stateOf(order);
  if (shown === name + failure) return name;
  shown = name + failure;
  const [title, text] = ORDER[name];
  document.title = `${title} · KCT Menswear`;
  const isOpen = name === "awaiting" || name === "failed";
  $("#state").dataset.state = name;
  show($("#state"),
    el("p", { class: "soft" }, `Order ${order.number}`),
    el("h1", { tabindex: "-1" }, title),
    el("p", {}, name === "failed" && failure ? failure : text),
    isOpen && el("p", { class: "soft" }, `Your items are reserved until ${keptUntil(order)}.`),
    isOpen && (isPlacing(order.id)
      ? el("a", { class: "main", href: "/checkout" }, name === "failed" ? "Pay with another card" : "Pay now")
      : el("p", { class: "soft" }, "To pay, go back to the window in which you placed the order.")),
    name === "confirming" && el("p", { class: "wait", "aria-hidden": "true" }, el("span"), el("span"), el("span")),
    name === "expired" && el("a", { class: "main", href: "/" }, "Back to the shop"),
    isPaid(order) && el("p", { class: "actions" }, copyButton(order), el("a", { class: "quiet", href: "/" }, "Back to the shop")));
  return name;
}

function copyButton(order) {
  const link = new URL(orderLink(order.id, token), location.href).href;
  const button = el("button", { type: "button", class: "quiet" }, "Copy the link to this order");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(link).then(() => { button.textContent = "Copied"; }, () => { location.hash = token; });
  });
  return button;
}

function isPaid(order) {
  return order.payment === "paid" && !order.held;
}

function onOrder(order) {
  lines(order);
  parcels(order);
  const name = state(order);
  if (isPaid(order)) {
    if (isPlacing(order.id)) {
      basket.empty();
      forgetAddress();
    }
    settled(order.id);
  }
  if (name === "expired") settled(order.id);
  return isPaid(order) || name === "expired";
}

// Back from the bank: what became of the payment is asked of Stripe, since its event may take a moment.
async function fromBank() {
  const secret = asked.get("payment_intent_client_secret");
  if (!secret) return;
  history.replaceState(null, "", orderLink(id, token)); // the secret is out of the address at once
  const before = placing();
  const key = isPlacing(id) ? (await api.placeOrder(before.body, before.key).catch(() => null))?.publishable_key : null;
  if (!key) return;
  const cards = await import(standinUrl ? "./standin-card.js" : "./stripe-element.js");
  const intent = { payment_intent_id: asked.get("payment_intent"), client_secret: secret, publishable_key: key };
  const { status, error } = await cards.look(intent);
  isConfirming = status === "succeeded" || status === "processing" || status === "unknown";
  keepSubmitted(id, isConfirming);
  failure = status === "requires_payment_method" ? failureText(error) : null;
}

function refused() {
  $("#state").dataset.state = "refused";
  show($("#state"), el("h1", { tabindex: "-1" }, "We can't show this order"),
    el("p", {}, "The link is not complete, or it is too old. Please use the whole link from our latest mail to you."),
    el("a", { class: "main", href: "/" }, "To the shop"));
  focus($("#state h1"));
}

dress();
if (!id || !token) refused();
else {
  keepToken(id, token);
  await fromBank();
  history.replaceState(null, "", orderLink(id, token));
  setTimeout(() => { isConfirming = false; }, CONFIRMING_MS);
  try {
    await follow(id, token, onOrder);
  } catch {
    refused();
  }
}
