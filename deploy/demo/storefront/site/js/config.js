// Where checkout is, and whether the cards go to Stripe or to its stand-in. The shop's server says so.

const answer = await fetch("/config.json");
if (!answer.ok) throw new Error("The shop's own server does not answer.");

export const config = await answer.json();
export const standinUrl = config.stripe.standin_url ?? null;
