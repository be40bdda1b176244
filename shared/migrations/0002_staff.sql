-- Who works here, and who of them is signed in. Signing in with password and second factor writes the same sessions.

CREATE TABLE staff.accounts (
    id          uuid PRIMARY KEY,
    name        text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 100),
    rights      text[] NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz
);
COMMENT ON TABLE staff.accounts IS 'Members of staff and what each of them may do, such as events.read.';

CREATE TABLE staff.sign_in_codes (
    code_hash  bytea PRIMARY KEY CHECK (octet_length(code_hash) = 32),
    account_id uuid NOT NULL REFERENCES staff.accounts,
    lasts      interval NOT NULL CHECK (lasts BETWEEN interval '1 minute' AND interval '12 hours'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
COMMENT ON TABLE staff.sign_in_codes IS 'Codes that an operator handed out, each good for one session, as SHA-256.';
COMMENT ON COLUMN staff.sign_in_codes.lasts IS 'How long the session lasts that the code becomes.';

CREATE TABLE staff.sessions (
    id         uuid PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES staff.accounts,
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
COMMENT ON TABLE staff.sessions IS 'Who is signed in, by the SHA-256 of the token in his cookie; never the token.';
COMMENT ON COLUMN staff.sessions.seen_at IS 'When the session was last used, to a minute; idle for long, it is over.';
CREATE INDEX sessions_by_account ON staff.sessions (account_id);

-- Fifteen minutes: PCI DSS 4.0.1, requirement 8.2.8.
CREATE VIEW staff.live_sessions AS
    SELECT s.id, s.token_hash, s.account_id, a.name, a.rights, s.seen_at, s.expires_at
    FROM staff.sessions s JOIN staff.accounts a ON a.id = s.account_id
    WHERE s.revoked_at IS NULL AND a.disabled_at IS NULL
        AND s.expires_at > now() AND s.seen_at > now() - interval '15 minutes';
COMMENT ON VIEW staff.live_sessions IS 'Sessions that count right now; what the services read.';

-- The only ways in which a service other than checkout writes here.

CREATE FUNCTION staff.enter(code bytea, session uuid, token bytea) RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = staff, pg_temp AS $$
    WITH used AS (
        UPDATE sign_in_codes c SET used_at = clock_timestamp()
        FROM accounts a
        WHERE c.code_hash = code AND c.used_at IS NULL AND c.expires_at > now()
            AND a.id = c.account_id AND a.disabled_at IS NULL
        RETURNING c.account_id, c.lasts
    )
    INSERT INTO sessions (id, account_id, token_hash, expires_at)
    SELECT session, account_id, token, now() + lasts FROM used
    RETURNING account_id
$$;
COMMENT ON FUNCTION staff.enter IS 'Makes a code a session, once; the account, or nothing for a code that does not count.';

CREATE FUNCTION staff.touch(session uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = staff, pg_temp AS $$
    UPDATE sessions SET seen_at = now() WHERE id IN (SELECT id FROM live_sessions WHERE id = session)
$$;
COMMENT ON FUNCTION staff.touch IS 'Says that a session is in use; one that is over stays over.';

CREATE FUNCTION staff.leave(session uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = staff, pg_temp AS $$
    UPDATE sessions SET revoked_at = now() WHERE id = session AND revoked_at IS NULL
$$;
COMMENT ON FUNCTION staff.leave IS 'Ends a session.';

REVOKE EXECUTE ON FUNCTION staff.enter, staff.touch, staff.leave FROM PUBLIC;
GRANT USAGE ON SCHEMA staff TO
    {{prefix}}_checkout_worker, {{prefix}}_checkout_request, {{prefix}}_webhooks_request, {{prefix}}_notifier_request,
    {{prefix}}_monitor_request;
GRANT SELECT ON staff.live_sessions TO
    {{prefix}}_checkout_request, {{prefix}}_webhooks_request, {{prefix}}_notifier_request, {{prefix}}_monitor_request;
GRANT EXECUTE ON FUNCTION staff.enter, staff.touch, staff.leave TO
    {{prefix}}_checkout_request, {{prefix}}_webhooks_request, {{prefix}}_notifier_request, {{prefix}}_monitor_request;
GRANT SELECT, INSERT, UPDATE ON staff.accounts, staff.sessions, staff.sign_in_codes TO {{prefix}}_checkout_worker;
-- What counts of a session, without what opens it.
GRANT SELECT ON staff.accounts TO {{prefix}}_auditor;
GRANT SELECT (id, account_id, created_at, seen_at, expires_at, revoked_at) ON staff.sessions TO {{prefix}}_auditor;
GRANT SELECT (account_id, lasts, created_at, expires_at, used_at) ON staff.sign_in_codes TO {{prefix}}_auditor;
