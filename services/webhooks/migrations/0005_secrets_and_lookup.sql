-- Which signing secrets are held and used, and what staff need to find an event.

CREATE TABLE keyrings (
    instance text PRIMARY KEY CHECK (length(instance) BETWEEN 1 AND 200),
    names    text[] NOT NULL,
    untils   timestamptz[] NOT NULL,
    taken_at timestamptz NOT NULL,
    problem  text CHECK (length(problem) <= 500),
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT every_name_has_its_until CHECK (cardinality(names) = cardinality(untils))
);
COMMENT ON TABLE keyrings IS 'The names of the signing secrets that each running process holds; never a secret.';
COMMENT ON COLUMN keyrings.problem IS 'Why the process could not take its file over; it goes on with what it holds.';

CREATE TABLE secret_uses (
    name         text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 40),
    requests     bigint NOT NULL CHECK (requests > 0),
    last_used_at timestamptz NOT NULL,
    warned_until timestamptz
);
COMMENT ON TABLE secret_uses IS 'How often and when each signing secret last verified a request, by its name.';
COMMENT ON COLUMN secret_uses.warned_until IS 'The expiry that was warned of already.';

GRANT SELECT, INSERT, UPDATE, DELETE ON keyrings TO {{prefix}}_webhooks_worker;
GRANT SELECT, INSERT, UPDATE ON secret_uses TO {{prefix}}_webhooks_worker;
GRANT SELECT ON keyrings, secret_uses TO {{prefix}}_auditor;
