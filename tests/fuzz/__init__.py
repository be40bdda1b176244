"""A fuzzer for Stripe's door: valid requests, broken at random, against the real process."""
