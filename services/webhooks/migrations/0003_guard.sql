-- Who may come in: Stripe's own addresses, those that are kept out, and what was suspicious. Shared by all processes.

CREATE TABLE stripe_senders (
    address    text PRIMARY KEY CHECK (octet_length(address) BETWEEN 2 AND 45),
    added_at   timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz
);
COMMENT ON TABLE stripe_senders IS 'The addresses Stripe sends from, as it published them last; those that left the list stay.';
COMMENT ON COLUMN stripe_senders.removed_at IS 'Since when the address is no longer listed; it is welcome for a grace period.';

CREATE TABLE stripe_sender_list (
    the_one  boolean PRIMARY KEY DEFAULT true CHECK (the_one),
    as_of    timestamptz,
    tried_at timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE stripe_sender_list IS 'One row: how old the list is, and when it was last asked for. Its lock orders those who change the list.';
INSERT INTO stripe_sender_list DEFAULT VALUES;

CREATE TABLE bans (
    address   text PRIMARY KEY CHECK (octet_length(address) BETWEEN 2 AND 49),
    kind      text NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 40),
    sightings integer NOT NULL CHECK (sightings >= 1),
    banned_at timestamptz NOT NULL DEFAULT now(),
    until     timestamptz NOT NULL,
    bans      integer NOT NULL DEFAULT 1 CHECK (bans >= 1),
    lifted_at timestamptz,
    CONSTRAINT ends_after_it_began CHECK (until > banned_at)
);
COMMENT ON TABLE bans IS 'Addresses, or /64 networks of IPv6, that are kept out until a time; kept a while longer, since the next ban is twice as long.';
COMMENT ON COLUMN bans.sightings IS 'How many suspicious requests it took.';
COMMENT ON COLUMN bans.bans IS 'How often the address has been banned.';
COMMENT ON COLUMN bans.lifted_at IS 'When an operator let the address in again before its time.';
CREATE INDEX bans_until ON bans (until);

CREATE TABLE threats (
    window_at timestamptz NOT NULL,
    kind      text NOT NULL CHECK (octet_length(kind) BETWEEN 1 AND 40),
    address   text NOT NULL CHECK (octet_length(address) BETWEEN 1 AND 49),
    sightings integer NOT NULL CHECK (sightings >= 0),
    is_told   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (window_at, kind, address)
);
COMMENT ON TABLE threats IS 'Suspicious requests by kind and address in windows of time, summed over all processes; * is everybody. Kept for a day.';
COMMENT ON COLUMN threats.is_told IS 'Whether an event names this address; few of a window do.';
CREATE INDEX threats_told ON threats (window_at, kind) WHERE is_told;

GRANT SELECT, INSERT, UPDATE ON stripe_senders TO {{prefix}}_webhooks_worker;
GRANT SELECT, INSERT, UPDATE ON stripe_sender_list TO {{prefix}}_webhooks_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON bans, threats TO {{prefix}}_webhooks_worker;
GRANT SELECT ON stripe_senders, stripe_sender_list, bans, threats TO {{prefix}}_auditor;
