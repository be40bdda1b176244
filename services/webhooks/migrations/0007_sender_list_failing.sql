-- Since when the list of senders could not be refreshed; null while it can.

ALTER TABLE stripe_sender_list ADD COLUMN failing_since timestamptz;
