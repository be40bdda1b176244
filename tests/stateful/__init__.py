"""A model of the whole shop that Hypothesis drives at random, and what must be true after every step."""
