// Checkout's API. A refusal is a problem document (RFC 9457); what may pass later is tried again, with the same key.

import { config } from "./config.js";

const TIMEOUT_MS = 20_000;
const TRIES = 8;
const LONGEST_WAIT_S = 8;
const PASSING = new Set([429, 502, 503, 504]);

// Checkout refused: `code` is for programs, `errors` names the fields.
export class Problem extends Error {
  constructor(status, { code = "unknown", title = "", detail = "", errors = [] } = {}) {
    super(detail || title || `status ${status}`);
    Object.assign(this, { status, code, title, detail, errors });
  }
}

// Nobody answered, or not in a way that says what happened: the same request may be sent again.
export class Unreachable extends Error {}

export async function products(currency) {
  const body = await patiently(() => ask(`/v1/products?currency=${currency}`));
  const bySku = new Map();
  for (const product of body.products) {
    for (const variant of product.variants) bySku.set(variant.sku, { product, variant });
  }
  return { currency: body.currency, products: body.products, bySku };
}

// What a basket costs with delivery and tax; nothing is kept of it.
export function quote(body) {
  return ask("/v1/quote", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

// The key makes it safe: however often this is sent, there is one order.
export function placeOrder(body, key, onWait) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  return patiently(() => ask("/v1/orders", { method: "POST", headers, body: JSON.stringify(body) }), onWait);
}

export function order(id, token) {
  return ask(`/v1/orders/${id}`, { headers: { Authorization: `Bearer ${token}` } });
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(config.checkout_url + path, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (answer.ok) return await answer.json();
  } catch {
    throw Object.assign(new Unreachable("no answer"), { afterS: null });
  }
  const problem = new Problem(answer.status, await answer.json().catch(() => ({})));
  // Too many payments failed: that lasts an hour, and trying on would only look worse.
  const isShut = problem.code === "too_many_attempts";
  if ((PASSING.has(answer.status) && !isShut) || problem.code === "in_progress") {
    const afterS = Number(answer.headers.get("Retry-After")) || null;
    throw Object.assign(new Unreachable(problem.message), { afterS });
  }
  throw problem;
}

// Again after a pause: the one the server asks for, else a growing one, never at the same moment as everybody else.
async function patiently(send, onWait = () => {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof Unreachable) || tries === TRIES) throw error;
      onWait();
      const pauseS = Math.min(LONGEST_WAIT_S, error.afterS ?? 0.5 * 2 ** (tries - 1));
      await new Promise((done) => setTimeout(done, pauseS * 1000 * (1 + Math.random() / 4)));
    }
  }
}
