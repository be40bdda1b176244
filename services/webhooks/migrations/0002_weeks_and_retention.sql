-- The inbox in weeks that are made ahead and dropped whole; what is kept how long; and two things noted of an event.

ALTER TABLE stripe_event_ids ADD COLUMN signed_at bigint;
COMMENT ON COLUMN stripe_event_ids.signed_at IS
    'When the first delivery was signed (Unix seconds). Stripe signs every retry anew: the same time again is a replay.';
GRANT SELECT (signed_at) ON stripe_event_ids TO {{prefix}}_webhooks_request;

ALTER TABLE stripe_events ADD COLUMN version_mismatch boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN stripe_events.version_mismatch IS 'Whether it is of another API version than the one we expect.';

-- Few rows, and the ones that keep a week from being dropped; those that wait have their index already.
CREATE INDEX stripe_events_failed ON stripe_events (received_at) WHERE state = 'failed';

-- Ids are never changed and lie in the order of their arrival: a few bytes of index per hundred pages will do.
CREATE INDEX stripe_event_ids_received ON stripe_event_ids USING brin (received_at) WITH (autosummarize = on);

-- What may be forgotten at all is said here, whatever a job is told: bodies once they are handled and older than what
-- Stripe itself remembers (30 days), ids once nothing could bring them back.
GRANT DELETE ON stripe_events TO {{prefix}}_webhooks_worker;
CREATE POLICY worker_forgets ON stripe_events FOR DELETE TO {{prefix}}_webhooks_worker
    USING (state IN ('published', 'ignored') AND received_at < now() - interval '31 days');

ALTER TABLE stripe_event_ids ENABLE ROW LEVEL SECURITY;
GRANT DELETE ON stripe_event_ids TO {{prefix}}_webhooks_worker;
GRANT SELECT ON stripe_event_ids TO {{prefix}}_webhooks_worker;
CREATE POLICY request_adds ON stripe_event_ids FOR INSERT TO {{prefix}}_webhooks_request WITH CHECK (true);
CREATE POLICY request_compares ON stripe_event_ids FOR SELECT TO {{prefix}}_webhooks_request USING (true);
CREATE POLICY worker_reads ON stripe_event_ids FOR SELECT TO {{prefix}}_webhooks_worker USING (true);
CREATE POLICY worker_forgets ON stripe_event_ids FOR DELETE TO {{prefix}}_webhooks_worker
    USING (received_at < now() - interval '60 days');
CREATE POLICY auditor_reads ON stripe_event_ids FOR SELECT TO {{prefix}}_auditor USING (true);

-- Partitions belong to the owner; the worker may have them made and dropped, by these functions and no other way.
-- Row-level security is forced on the owner too: it is lifted from the one partition in hand, under a lock that lets
-- nobody else at it, and only for as long as the function runs. Should it confine us all the same, `row_security = off`
-- turns what we would not see into an error.

CREATE FUNCTION make_event_partition(week timestamptz, moves_strays boolean) RETURNS integer
LANGUAGE plpgsql
SET search_path = {{schema}}, pg_temp SET timezone = 'UTC' SET row_security = off AS $$
DECLARE
    since CONSTANT timestamptz := date_trunc('week', week);
    until CONSTANT timestamptz := since + interval '7 days';
    name  CONSTANT text := 'stripe_events_' || to_char(since, 'YYYYMMDD');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN 0;
    END IF;
    -- Made beside the parent and attached: that way requests go on storing into the other weeks meanwhile.
    EXECUTE format('CREATE TABLE %I (LIKE stripe_events INCLUDING ALL)', name);
    EXECUTE format('COMMENT ON TABLE %I IS %L', name, 'Stripe''s events of the week from ' || since::date);
    IF moves_strays THEN
        EXECUTE format(
            'WITH moved AS (DELETE FROM stripe_events_default WHERE received_at >= $1 AND received_at < $2 RETURNING *) '
            'INSERT INTO %I SELECT * FROM moved', name) USING since, until;
    END IF;
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE stripe_events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, since, until);
    RETURN 1;
END $$;
COMMENT ON FUNCTION make_event_partition IS
    'Makes the partition of a week; with what the default partition holds of it, if the caller has locked that.';

CREATE FUNCTION make_event_partitions(weeks_ahead integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {{schema}}, pg_temp SET timezone = 'UTC' SET row_security = off SET lock_timeout = '1s' AS $$
DECLARE
    made       integer := 0;
    has_strays boolean;
    week       timestamptz;
    weeks      timestamptz[];
BEGIN
    IF weeks_ahead NOT BETWEEN 0 AND 26 THEN
        RAISE EXCEPTION 'from 0 to 26 weeks ahead can be made' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('stripe_events partitions'));
    SELECT array_agg(day) INTO weeks
    FROM generate_series(date_trunc('week', now()), now() + weeks_ahead * interval '7 days', interval '7 days') AS day;
    -- Looked at as a file: an empty one needs no lock. A row that slips in after this makes the attaching fail, and the
    -- next run moves it.
    has_strays := pg_relation_size('stripe_events_default') > 0;
    IF has_strays THEN
        LOCK TABLE stripe_events_default IN ACCESS EXCLUSIVE MODE;
        ALTER TABLE stripe_events_default NO FORCE ROW LEVEL SECURITY;
        SELECT weeks || coalesce(array_agg(DISTINCT date_trunc('week', received_at)), '{}') INTO weeks
        FROM stripe_events_default;
    END IF;
    FOREACH week IN ARRAY weeks LOOP
        made := made + make_event_partition(week, has_strays);
    END LOOP;
    IF has_strays THEN
        IF EXISTS (SELECT FROM stripe_events_default) THEN
            RAISE EXCEPTION 'events were left in the default partition';
        END IF;
        TRUNCATE stripe_events_default;
        ALTER TABLE stripe_events_default FORCE ROW LEVEL SECURITY;
    END IF;
    RETURN made;
END $$;
COMMENT ON FUNCTION make_event_partitions IS
    'Makes the partitions of this week and of so many after it, and moves into theirs what lies in the default one.';

CREATE FUNCTION drop_event_partition(week timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = {{schema}}, pg_temp SET timezone = 'UTC' SET row_security = off SET lock_timeout = '1s' AS $$
DECLARE
    name      CONSTANT text := 'stripe_events_' || to_char(date_trunc('week', week), 'YYYYMMDD');
    is_needed boolean;
BEGIN
    IF date_trunc('week', week) + interval '7 days' > now() - interval '31 days' THEN
        RAISE EXCEPTION 'events of the last 31 days are kept' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('stripe_events partitions'));
    IF to_regclass(name) IS NULL THEN
        RETURN false;
    END IF;
    -- From here on nobody can add to it or put a row of it back to be published; what they did before is seen below.
    LOCK TABLE ONLY stripe_events IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %1$I WHERE state = ''received'') OR EXISTS (SELECT FROM %1$I WHERE state = ''failed'')',
        name) INTO is_needed;
    IF is_needed THEN
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE stripe_events DETACH PARTITION %I', name);
    EXECUTE format('DROP TABLE %I', name);
    RETURN true;
END $$;
COMMENT ON FUNCTION drop_event_partition IS
    'Drops a week that is old enough and in which nothing waits or has failed; answers whether it did.';

REVOKE EXECUTE ON FUNCTION make_event_partition, make_event_partitions, drop_event_partition FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_event_partitions, drop_event_partition TO {{prefix}}_webhooks_worker;

SELECT make_event_partitions(4);
