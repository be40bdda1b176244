"""The only door Stripe knocks on."""
