// Stripe.js with the Payment Element: what a real shop uses. The card number stays inside Stripe's frame.
// Stripe.js is the one script that does not come from us; Stripe wants it loaded from its own address, unpinned.

const ADDRESS = "https://js.stripe.com/v3/";

let loading = null;

function load() {
  loading ??= new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = ADDRESS;
    script.addEventListener("load", () => done(window.Stripe));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      failed(new Error("Stripe.js did not load"));
    });
    document.head.append(script);
  });
  return loading;
}

export async function mount(place, placed) {
  const stripe = (await load())(placed.publishable_key);
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const elements = stripe.elements({ clientSecret: placed.client_secret, appearance: { theme: isDark ? "night" : "stripe" } });
  const frame = document.createElement("div");
  place.replaceChildren(frame);
  elements.create("payment").mount(frame);
  return {
    check: () => true, // the element shows what is missing itself
    pay: async (_, returnUrl) => {
      const { error, paymentIntent } = await stripe.confirmPayment({ elements, confirmParams: { return_url: returnUrl }, redirect: "if_required" });
      // Whom Stripe sends to a bank does not come back here: he closed the window in which it asked for more.
      if (paymentIntent?.status === "requires_action") return { status: "incomplete", error: null };
      if (!error) return { status: paymentIntent.status, error: null };
      if (error.type === "validation_error") return { status: "incomplete", error: null };
      return { status: error.payment_intent?.status ?? "unknown", error };
    },
  };
}

export async function look({ client_secret: secret, publishable_key: key }) {
  const { paymentIntent } = await (await load())(key).retrievePaymentIntent(secret);
  return { status: paymentIntent?.status ?? "unknown", error: paymentIntent?.last_payment_error ?? null };
}
