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
import { isPlacing, isSubmitted, keepSubmitted, keepToken, msSinceSubmitted, orderLink, placing, settled, tokenOf } from "./placing.js";
import { failureText, keptUntil, ORDER, PARCEL } from "./words.js";

// Longer than a webhook usually takes; afterwards the page asks, and stops promising.
const CONFIRMING_MS = 90_000;

const asked = new URLSearchParams(location.search);
const id = asked.get("id") ?? "";
const isFromBank = asked.has("payment_intent");
const token = tokenInLink() || tokenOf(id);
let isLate = false;
let failure = null; // why the payment that we come from failed
let latest = null;
let shown = "";

function tokenInLink() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return ""; // cut off within a %XX
  }
}

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
  if (isOpen(order) && isSubmitted(id)) return isLate ? "late" : "confirming"; // "failed" was an earlier card
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
  const toPay = name === "awaiting" || name === "failed";
  $("#state").dataset.state = name;
  show($("#state"),
    el("p", { class: "soft" }, `Order ${order.number}`),
    el("h1", { tabindex: "-1" }, title),
    el("p", {}, name === "failed" && failure ? failure : text),
    toPay && el("p", { class: "soft" }, `Your items are reserved until ${keptUntil(order)}.`),
    toPay && (isPlacing(order.id)
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

function isOpen(order) {
  return order.payment === "awaiting" || order.payment === "failed";
}

function isPaid(order) {
  return order.payment === "paid" && !order.held;
}

function onOrder(order) {
  latest = order;
  if (!isOpen(order)) keepSubmitted(id, false); // the shop has heard of it
  lines(order);
  parcels(order);
  const name = state(order);
  if (isPaid(order)) {
    if (isPlacing(order.id)) {
      basket.takeOut(placing().body.lines);
      forgetAddress();
    }
    settled(order.id);
  }
  if (name === "expired") settled(order.id);
  return isPaid(order) || name === "expired";
}

// What became of a payment is asked of Stripe, since its event may take a moment. Repeating the order has checkout ask;
// only the tab that placed it can.
async function askStripe() {
  if (!isPlacing(id)) return null;
  const { body, key } = placing();
  const answer = await api.placeOrder(body, key).catch(() => null);
  if (!answer) return null;
  const isRefused = answer.payment_status === "requires_payment_method";
  keepSubmitted(id, answer.payment_status === "succeeded" || answer.payment_status === "processing");
  failure = isRefused ? await whyRefused(answer) : null;
  return answer.order;
}

async function whyRefused(answer) {
  const cards = await import(standinUrl ? "./standin-card.js" : "./stripe-element.js");
  const { error } = await cards.look(answer).catch(() => ({ error: null }));
  return failureText(error ?? { type: "api_error" });
}

async function stopPromising() {
  if (!isSubmitted(id)) return;
  const order = await askStripe();
  isLate = true;
  if (latest && isOpen(latest)) onOrder(order ?? latest); // unless the event has come meanwhile
}

function refused(name, title, text) {
  $("#state").dataset.state = name;
  show($("#state"), el("h1", { tabindex: "-1" }, title), el("p", {}, text), el("a", { class: "main", href: "/" }, "To the shop"));
  focus($("#state h1"));
}

function unknown() {
  refused("refused", "We can't show this order", "The link is not complete, or it is too old. Please use the whole link from our latest mail to you.");
}

// The bank sends people back without the order's token; the window in which they ordered has it.
function elsewhere() {
  refused("elsewhere", "You are back from your bank", "Please go on in the window in which you placed the order: it shows how your payment went. Once the order is paid, we write to you.");
}

dress();
history.replaceState(null, "", orderLink(id, token ?? "")); // what the bank added is out of the address at once
if (!id || !token) (isFromBank ? elsewhere : unknown)();
else {
  keepToken(id, token);
  if (isFromBank) keepSubmitted(id, true);
  isLate = msSinceSubmitted(id) >= CONFIRMING_MS;
  if (isFromBank || (isSubmitted(id) && isLate)) await askStripe();
  if (isSubmitted(id) && !isLate) setTimeout(stopPromising, CONFIRMING_MS - msSinceSubmitted(id));
  try {
    await follow(id, token, onOrder);
  } catch {
    unknown();
  }
}
