// What a refused payment is called. Some reasons are never told (a card reported stolen, a suspicion): they, and all
// that we don't know, are the neutral text.

const NEUTRAL = "Your bank did not approve this payment. Nothing was charged. Please use another card, or ask your bank.";
const TECHNICAL = "Something went wrong between us and your bank. Nothing was charged. Please try again in a moment.";

const WORDS = {
  insufficient_funds: "There is not enough money on this card for the order. Nothing was charged. Please use another card.",
  card_velocity_exceeded: "This card has reached its limit for now. Nothing was charged. Please use another card.",
  expired_card: "This card has expired. Nothing was charged. Please use another card.",
  incorrect_cvc: "The security code does not match this card. Nothing was charged. Please check it and try again.",
  invalid_cvc: "The security code is not complete. Please check it and try again.",
  incorrect_number: "This card number is not right. Please check it and try again.",
  invalid_number: "This card number is not right. Please check it and try again.",
  invalid_expiry_month: "The expiry date is not right. Please check it and try again.",
  invalid_expiry_year: "The expiry date is not right. Please check it and try again.",
  authentication_required: "Your bank wants to know that it is you. Please try again and confirm the payment.",
  payment_intent_authentication_failure: "Your bank could not confirm that it was you. Nothing was charged. Please try again, or use another card.",
  processing_error: TECHNICAL,
  issuer_not_available: TECHNICAL,
  reenter_transaction: TECHNICAL,
  api_error: TECHNICAL,
};

// `error` as Stripe gives it: the most telling code first.
export function failureText(error) {
  for (const code of [error?.decline_code, error?.code, error?.type]) {
    if (code && Object.hasOwn(WORDS, code)) return WORDS[code];
  }
  return NEUTRAL;
}

export const ORDER = {
  awaiting: ["Waiting for your payment", "Nothing has been charged yet."],
  confirming: ["We are confirming your payment", "This takes a moment. You need not do anything."],
  late: ["Your payment takes longer than usual", "Please don't pay again: we are still asking what became of it, and will write to you."],
  processing: ["Your payment is on its way", "Your bank is still working on it. There is nothing to do; we will write to you."],
  failed: ["The payment was not completed", "Nothing was charged. Your items are still reserved: you can pay with another card."],
  paid: ["Thank you", "Your order is paid, and we are getting it ready. A confirmation is on its way to your inbox."],
  expired: ["The reservation has ended", "The order was not paid in time, so the items are on sale again. Nothing was charged."],
  part_shipped: ["Partly on its way", "A part of your order is on its way; the rest follows."],
  shipped: ["On its way", "Your order has been handed to the carrier."],
  delivered: ["Delivered", "The carrier says that your order has arrived. Enjoy it!"],
  returned: ["Returned", "What we sent you has come back to us."],
  refunded: ["Refunded", "We have given back your payment; your bank may need 5 to 10 days to show it."],
  held: ["We are checking your payment", "Something about it needs a look by a person. We will write to you; please don't pay again."],
};

export const PARCEL = { shipped: "on its way", delivered: "delivered", returned: "came back to us" };

// Until when an order's goods are kept; with the day, unless that is today.
export function keptUntil({ reserved_until: until }) {
  const at = new Date(until);
  const day = at.toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
  return at.toLocaleString(document.documentElement.lang, { ...day, hour: "numeric", minute: "2-digit" });
}
