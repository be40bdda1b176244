// A tiny stand-in for Stripe.js, for the one test that the shop's page uses it as Stripe documents it: the same names,
// a Payment Element with one field, and Stripe's API behind it.

window.Stripe = (key) => {
  async function call(path, form, method = "POST") {
    const query = method === "GET" ? `?${new URLSearchParams(form)}` : "";
    const body = method === "GET" ? undefined : new URLSearchParams(form);
    try {
      const answer = await fetch(`https://api.stripe.com/v1/${path}${query}`, { method, body, headers: { Authorization: `Bearer ${key}` } });
      return await answer.json();
    } catch {
      return { error: { type: "api_connection_error", message: "We are experiencing issues connecting to our payments provider." } };
    }
  }
  const idOf = (secret) => secret.split("_secret_")[0];

  return {
    elements: ({ clientSecret, appearance }) => ({
      clientSecret,
      create: (kind) => ({
        mount: (place) => {
          const field = document.createElement("input");
          Object.assign(field, { id: "element", type: "text" });
          field.setAttribute("aria-label", `Stripe's ${kind} element, ${appearance.theme}`);
          place.append(field);
        },
      }),
    }),
    async confirmPayment({ elements, confirmParams, redirect }) {
      const method = document.getElementById("element").value;
      if (!method) return { error: { type: "validation_error", message: "Your card number is incomplete." } };
      if (method === "closed") return { paymentIntent: { status: "requires_action" } }; // the customer closed Stripe's window
      const intent = await call(`payment_intents/${idOf(elements.clientSecret)}/confirm`, {
        payment_method: method, client_secret: elements.clientSecret, return_url: confirmParams.return_url,
      });
      if (intent.error) return { error: intent.error };
      const there = intent.next_action?.redirect_to_url?.url;
      if (!there && redirect === "if_required") return { paymentIntent: intent };
      location.assign(there ?? confirmParams.return_url);
      return new Promise(() => {});
    },
    async retrievePaymentIntent(clientSecret) {
      return { paymentIntent: await call(`payment_intents/${idOf(clientSecret)}`, { client_secret: clientSecret }, "GET") };
    },
  };
};
