"""A stand-in for Stripe: one process, in memory, for the demo and the tests. It is not Stripe and says so."""
