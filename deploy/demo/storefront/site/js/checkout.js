// The till: address, then payment. The order is placed in between, once, whatever happens to the page or the line.

import { addressForm, forgetAddress, showErrors } from "./address.js";
import { parts } from "./amounts.js";
import * as api from "./api.js";
import { row, total } from "./basket-drawer.js";
import * as basket from "./basket.js";
import { config, standinUrl } from "./config.js";
import { $, el, focus, say, show } from "./dom.js";
import { chosenCurrency, price } from "./money.js";
import { CLOSED, dress, trouble } from "./page.js";
import { forgetPlacing, keepSubmitted, keyFor, orderLink, placed as rememberPlaced, placing, repeated, settled } from "./placing.js";
import { failureText, keptUntil } from "./words.js";

const cards = await import(standinUrl ? "./standin-card.js" : "./stripe-element.js");

let catalogue = null;
let isBusy = false;

function busy(button, words) {
  const before = button.textContent;
  isBusy = true;
  button.setAttribute("aria-disabled", "true"); // stays where the focus is, unlike a disabled one
  button.textContent = words;
  return () => {
    isBusy = false;
    button.removeAttribute("aria-disabled");
    button.textContent = before;
  };
}

function summary(lines, sum, currency, amounts = null) {
  show($("#summary"), el("details", { open: matchMedia("(min-width: 52rem)").matches },
    el("summary", {}, el("span", {}, "Your order"), el("strong", {}, price(sum, currency))),
    el("ul", { class: "rows", role: "list" }, lines),
    amounts && parts(amounts),
    el("p", { class: "total" }, el("span", {}, "Total, delivery included"), el("strong", {}, price(sum, currency)))));
}

// What the page has shown is what is ordered: checkout refuses the order if the total is another one by then.
let shown = null;

function basketSummary() {
  const lines = basket.filled(catalogue);
  const amounts = shown?.amounts;
  summary(lines.map((line) => row(line, catalogue.currency)), amounts?.total_minor ?? total(lines), catalogue.currency, amounts);
}

function destination(form) {
  const given = new FormData(form);
  const [country, region] = ["country", "region"].map((name) => given.get(`shipping_address.${name}`)?.trim());
  return region ? { country, region } : { country };
}

// Delivery and tax for the address so far. Without an answer the order itself will tell.
async function showQuote(form) {
  const asked = { currency: catalogue.currency, lines: wanted(), ...destination(form) };
  const amounts = await api.quote(asked).catch(() => null);
  if (!form.isConnected || isBusy) return;
  shown = amounts && { asked: JSON.stringify(asked), amounts };
  basketSummary();
}

function wanted() {
  return basket.filled(catalogue).map(({ sku, quantity }) => ({ sku, quantity }));
}

function expected(form) {
  const asked = JSON.stringify({ currency: catalogue.currency, lines: wanted(), ...destination(form) });
  return shown?.asked === asked ? { expected_total_minor: shown.amounts.total_minor } : {};
}

function orderSummary({ order }) {
  summary(order.lines.map((line) => row({
    quantity: line.quantity,
    product: catalogue.bySku.get(line.sku)?.product ?? { id: "", name: line.name },
    variant: { ...(catalogue.bySku.get(line.sku)?.variant ?? { colour: line.variant, size: "" }), unit_price_minor: line.unit_price_minor, available: line.quantity },
  }, order.currency)), order.total_minor, order.currency, order);
}

function step(name) {
  for (const each of ["address", "payment"]) $(`#step-${each}`).toggleAttribute("aria-current", each === name);
  $(`#step-${name}`).setAttribute("aria-current", "step");
}

function askAddress(notice = null) {
  step("address");
  basketSummary();
  const form = addressForm(async (address) => {
    if (isBusy) return;
    const wish = { ...address, locale: "en", currency: catalogue.currency, lines: wanted(), ...expected(form) };
    const done = busy($("button[type=submit]", form), "One moment …");
    await place(form, repeated(wish));
    done();
  });
  show($("#step"), notice, form);
  form.addEventListener("change", ({ target }) => /country|region/.test(target.name) && showQuote(form));
  showQuote(form);
}

async function place(form, body) {
  $(".notice", $("#step"))?.remove();
  try {
    const answer = await api.placeOrder(body, keyFor(body), () => say("The shop is busy. We keep trying; please stay on this page."));
    enter(answer);
  } catch (error) {
    refused(form, error);
  }
}

// Placed now, or found again after a reload.
function enter(answer) {
  rememberPlaced(answer);
  const { payment, held } = answer.order;
  if (!held && (payment === "awaiting" || payment === "failed")) askPayment(answer);
  else location.assign(orderLink(answer.order.id, answer.order_token));
}

function refused(form, error) {
  if (error instanceof api.Problem && error.code === "out_of_stock") return outOfStock();
  if (error instanceof api.Problem && error.code === "price_changed") return priceChanged();
  if (error instanceof api.Problem && showErrors(form, error.errors)) return;
  const isLine = error instanceof api.Problem && error.errors.some(({ field }) => field.startsWith("lines"));
  const words = isLine ? "Something in your basket can't be ordered like this. Please have a look at it."
    : error instanceof api.Problem ? `We could not take the order: ${error.title || error.message}.`
    : "We could not reach the shop. Your order was not placed twice: you can safely try again.";
  const notice = trouble(words);
  notice.append(isLine ? el("a", { href: "/#basket" }, "Look at the basket") : "");
  form.before(notice);
  focus(notice);
}

async function outOfStock() {
  catalogue = await api.products(catalogue.currency).catch(() => catalogue);
  const short = basket.filled(catalogue).filter((line) => line.quantity > line.variant.available);
  const names = short.map((line) => `${line.product.name} (${line.variant.colour}, ${line.variant.size})`).join(" and ");
  const notice = trouble(`Somebody was quicker: there is not enough left of ${names || "something in your basket"}. Nothing was ordered.`);
  notice.append(el("a", { href: "/#basket" }, "Change the basket"));
  askAddress(notice);
  focus(notice);
}

async function priceChanged() {
  forgetPlacing();
  catalogue = await api.products(catalogue.currency).catch(() => catalogue);
  const notice = trouble("The total has changed since you saw it. Nothing was ordered: please look at it and go on if you agree.");
  askAddress(notice);
  focus(notice);
}

async function askPayment(answer) {
  step("payment");
  orderSummary(answer);
  const { order } = answer;
  const place = el("div", { class: "card-form" }, el("p", { class: "soft" }, "One moment …"));
  const problem = el("div", { class: "notice bad", role: "alert", tabindex: "-1", hidden: true });
  const button = el("button", { type: "submit", class: "main" }, `Pay ${price(order.total_minor, order.currency)}`);
  const form = el("form", { novalidate: true, "aria-labelledby": "payment-title" },
    el("h2", { id: "payment-title", tabindex: "-1" }, "How would you like to pay?"),
    el("p", { class: "soft" }, `Order ${order.number}. Your items are reserved until ${keptUntil(order)}.`),
    problem, place, button);
  show($("#step"), form);
  focus($("#payment-title"));
  let card;
  try {
    card = await cards.mount(place, answer);
  } catch {
    show(place, trouble("The payment form did not load.", () => askPayment(answer)));
    button.hidden = true;
    return;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isBusy || !card.check()) return;
    problem.hidden = true;
    const done = busy(button, "Paying …");
    const outcome = await card.pay(answer, new URL(`/order?id=${order.id}`, location.href).href);
    // On the way to the bank the button stays as it is: the page is about to leave.
    if (outcome.status !== "requires_action") {
      done();
      afterPaying(answer, outcome, problem);
    }
  });
}

function afterPaying(answer, { status, error }, problem) {
  if (status === "incomplete") return;
  if (status === "requires_payment_method") {
    problem.replaceChildren(el("p", {}, failureText(error)));
    problem.hidden = false;
    focus(problem);
    return;
  }
  // Paid, on its way, or nobody knows: then nobody may be asked to pay again. The order's own page finds out.
  keepSubmitted(answer.order.id, status !== "canceled");
  location.assign(orderLink(answer.order.id, answer.order_token));
}

// Repeating the order has checkout ask Stripe: it may be paid, and no event have come yet. Its own page says so, and
// empties the basket. Only an order that came to nothing makes way for another.
async function resume() {
  const before = placing();
  if (!before?.orderId) return false;
  try {
    const answer = await api.placeOrder(before.body, before.key);
    if (answer.order.payment !== "expired") {
      enter(answer);
      return true;
    }
  } catch (error) {
    if (!(error instanceof api.Problem) || error.status >= 500) throw error; // it may be paid all the same
  }
  settled(before.orderId); // what is in the basket now is another order
  return false;
}

async function open() {
  try {
    catalogue = await api.products(placing()?.body.currency ?? chosenCurrency(config.currencies));
    if (await resume()) return;
  } catch {
    show($("#step"), trouble(CLOSED, open));
    return;
  }
  if (basket.filled(catalogue).length) askAddress();
  else show($("#step"), el("h2", {}, "Your basket is empty"), el("a", { class: "main", href: "/" }, "To the shop"));
}

// Back from the bank or the shop to the page as it was left, "Paying …" and all: it starts anew instead.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
addEventListener("pagehide", () => { if (!placing()) forgetAddress(); });
dress();
await open();
