// The official Node package against the stand-in: one line of JSON per claim, with an error where it doesn't hold.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import Stripe from 'stripe';

const base = new URL(process.argv[2]);
const stripe = new Stripe('sk_test_standin', {
  host: base.hostname,
  port: base.port,
  protocol: 'http',
  maxNetworkRetries: 0,
  telemetry: false,
});

async function control(path, body) {
  const answer = await fetch(new URL(`/_control${path}`, base), { method: 'POST', body: JSON.stringify(body ?? {}) });
  assert.ok(answer.ok, await answer.clone().text());
  return answer.json();
}

function pay(method, more = {}) {
  return stripe.paymentIntents.create({
    amount: 5000,
    currency: 'usd',
    confirm: true,
    payment_method: method,
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    ...more,
  });
}

async function refused(calling) {
  try {
    await calling;
  } catch (error) {
    return error;
  }
  throw new Error('it was not refused');
}

const claims = {
  async 'a purchase'() {
    const intent = await pay('pm_card_visa', { expand: ['latest_charge'] });
    assert.equal(intent.status, 'succeeded');
    assert.equal(intent.latest_charge.outcome.type, 'authorized');
  },

  async 'a decline'() {
    const error = await refused(pay('pm_card_visa_chargeDeclinedInsufficientFunds'));
    assert.ok(error instanceof Stripe.errors.StripeCardError);
    assert.equal(error.decline_code, 'insufficient_funds');
    assert.equal(error.payment_intent.status, 'requires_payment_method');
  },

  async '3-D Secure'() {
    const intent = await pay('pm_card_authenticationRequired', { return_url: 'http://127.0.0.1/back' });
    assert.equal(intent.status, 'requires_action');
    await control(`/payment_intents/${intent.id}/authenticate`, { outcome: 'succeed' });
    assert.equal((await stripe.paymentIntents.retrieve(intent.id)).status, 'succeeded');
  },

  async 'a capture in part'() {
    const intent = await pay('pm_card_visa', { capture_method: 'manual' });
    const captured = await stripe.paymentIntents.capture(intent.id, { amount_to_capture: 2000 });
    assert.deepEqual([captured.status, captured.amount_received], ['succeeded', 2000]);
  },

  async 'a refund, and none twice'() {
    const intent = await pay('pm_card_visa');
    const refund = await stripe.refunds.create({ payment_intent: intent.id });
    assert.equal(refund.status, 'succeeded');
    const error = await refused(stripe.refunds.create({ payment_intent: intent.id }));
    assert.equal(error.code, 'charge_already_refunded');
  },

  async 'a dispute that is won'() {
    const intent = await pay('pm_card_createDispute');
    await control('/clock/advance', { seconds: 2 });
    const [dispute] = (await stripe.disputes.list({ payment_intent: intent.id })).data;
    assert.equal(dispute.status, 'needs_response');
    await stripe.disputes.update(dispute.id, { evidence: { uncategorized_text: 'winning_evidence' } });
    await control('/clock/advance', { seconds: 2 });
    assert.equal((await stripe.disputes.retrieve(dispute.id)).status, 'won');
  },

  async 'search'() {
    const intent = await pay('pm_card_visa', { metadata: { order_id: 'from node' } });
    await control('/clock/advance', { seconds: 2 });
    const found = await stripe.paymentIntents.search({ query: "metadata['order_id']:'from node'" });
    assert.deepEqual(found.data.map((one) => one.id), [intent.id]);
  },

  async 'pagination'() {
    const made = [];
    for (let number = 0; number < 5; number += 1) made.unshift((await stripe.customers.create({})).id);
    const seen = [];
    for await (const customer of stripe.customers.list({ limit: 2 })) seen.push(customer.id);
    assert.deepEqual(seen, made);
  },

  async 'a card saved for later'() {
    const customer = await stripe.customers.create({});
    const setup = await stripe.setupIntents.create({
      customer: customer.id,
      payment_method: 'pm_card_visa',
      confirm: true,
      return_url: 'http://127.0.0.1/',
    });
    assert.equal(setup.status, 'succeeded');
    const again = await pay(setup.payment_method, { customer: customer.id, off_session: true });
    assert.equal(again.status, 'succeeded');
  },

  async 'a ConfirmationToken'() {
    const token = await stripe.testHelpers.confirmationTokens.create({
      payment_method: 'pm_card_visa',
      return_url: 'http://127.0.0.1/',
    });
    const intent = await stripe.paymentIntents.create({
      amount: 700,
      currency: 'usd',
      confirm: true,
      confirmation_token: token.id,
    });
    assert.equal(intent.status, 'succeeded');
  },

  async 'one key, one effect'() {
    const made = [];
    for (let number = 0; number < 2; number += 1) {
      made.push(await stripe.customers.create({ name: 'Ann' }, { idempotencyKey: 'node-1' }));
    }
    assert.equal(made[0].id, made[1].id);
    const error = await refused(stripe.customers.create({ name: 'Bob' }, { idempotencyKey: 'node-1' }));
    assert.ok(error instanceof Stripe.errors.StripeIdempotencyError);
  },

  async 'events, listed and delivered with a signature'() {
    const server = http.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${server.address().port}/`;
    const endpoint = await stripe.webhookEndpoints.create({ url, enabled_events: ['refund.created'] });
    const coming = once(server, 'request');
    const intent = await pay('pm_card_visa');
    const refund = await stripe.refunds.create({ payment_intent: intent.id });
    const [request, response] = await coming;
    const body = Buffer.concat(await request.toArray());
    const event = stripe.webhooks.constructEvent(body, request.headers['stripe-signature'], endpoint.secret);
    assert.equal(event.data.object.id, refund.id);
    response.end();
    server.close();
    const listed = await stripe.events.list({ types: ['refund.created'], limit: 1 });
    assert.equal(listed.data[0].id, event.id);
  },
};

for (const [claim, check] of Object.entries(claims)) {
  let error = null;
  try {
    await check();
  } catch (problem) {
    error = String(problem?.stack ?? problem);
  }
  console.log(JSON.stringify({ claim, error }));
}
