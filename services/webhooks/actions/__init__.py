"""What webhooks does: takes in what Stripe delivers, and passes it on. A file per noun."""

SERVICE = "webhooks"
