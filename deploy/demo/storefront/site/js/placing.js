// The order that this tab is placing. Its Idempotency-Key and body are kept until it is settled, so a reload, a double
// click or a lost answer repeats the same order and can't make a second one. The client secret is never kept: repeating
// the request answers it again.

const PLACING = "kct.placing";
const TOKEN = "kct.token.";
const SUBMITTED = "kct.submitted.";

export function placing() {
  try {
    return JSON.parse(sessionStorage.getItem(PLACING));
  } catch {
    return null;
  }
}

// A second try of the same order is sent word for word, also when the page has learned the total since the first.
export function repeated(body) {
  const wish = ({ expected_total_minor, ...rest }) => JSON.stringify(rest);
  const before = placing()?.body;
  return before && wish(before) === wish(body) ? before : body;
}

// Checkout refused it and kept nothing of it: the next try is a new order.
export function forgetPlacing() {
  sessionStorage.removeItem(PLACING);
}

// The same body keeps its key; another body is another order.
export function keyFor(body) {
  const before = placing();
  if (before && JSON.stringify(before.body) === JSON.stringify(body)) return before.key;
  const key = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  sessionStorage.setItem(PLACING, JSON.stringify({ key, body, orderId: null }));
  return key;
}

export function placed(answer) {
  sessionStorage.setItem(PLACING, JSON.stringify({ ...placing(), orderId: answer.order.id }));
  sessionStorage.setItem(TOKEN + answer.order.id, answer.order_token);
}

export function settled(orderId) {
  if (placing()?.orderId === orderId) sessionStorage.removeItem(PLACING);
}

export function isPlacing(orderId) {
  return placing()?.orderId === orderId;
}

// A payment that Stripe may have taken and the shop has not heard of yet: no page may ask for another meanwhile.
export function keepSubmitted(orderId, may) {
  if (!may) sessionStorage.removeItem(SUBMITTED + orderId);
  else if (!isSubmitted(orderId)) sessionStorage.setItem(SUBMITTED + orderId, String(Date.now()));
}

export function isSubmitted(orderId) {
  return sessionStorage.getItem(SUBMITTED + orderId) !== null;
}

// Since the first word of it; longer than ever without one.
export function msSinceSubmitted(orderId) {
  return Date.now() - Number(sessionStorage.getItem(SUBMITTED + orderId));
}

export function tokenOf(orderId) {
  return sessionStorage.getItem(TOKEN + orderId);
}

export function keepToken(orderId, token) {
  sessionStorage.setItem(TOKEN + orderId, token);
}

// The token stands behind the #: browsers send it to nobody.
export function orderLink(orderId, token) {
  return `/order?id=${orderId}#${token}`;
}
