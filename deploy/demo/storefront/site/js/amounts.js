// Of what a total is made: checkout's quotes and orders have the same fields.

import { el } from "./dom.js";
import { price } from "./money.js";

function amount(label, minor, currency) {
  return el("p", { class: "part soft" }, el("span", {}, label), el("span", {}, price(minor, currency)));
}

// What was given back of an order, if anything was.
export function givenBack(order) {
  return order.refunded_minor > 0 && amount("Given back", order.refunded_minor, order.currency);
}

export function parts(amounts) {
  const contained = amounts.tax_minor - amounts.tax_added_minor;
  return [
    amount("Subtotal", amounts.subtotal_minor, amounts.currency),
    amount(amounts.shipping_name, amounts.shipping_minor, amounts.currency),
    amounts.tax_added_minor > 0 && amount("Tax", amounts.tax_added_minor, amounts.currency),
    contained > 0 && amount("Tax in the prices", contained, amounts.currency),
  ];
}
