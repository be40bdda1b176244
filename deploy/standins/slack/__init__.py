"""A stand-in for Slack's incoming webhooks: takes messages, shows them in order, goes wrong when told to."""
