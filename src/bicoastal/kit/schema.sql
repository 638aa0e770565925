-- What the kit keeps in the application's database. Run by `bootstrap`, as bicoastal_guard, in one transaction; any number
-- of times. Everything here travels to replicas in the WAL: state, roles' memberships, the database's setting.
--
-- bicoastal_guard owns all of it. It cannot log in; it is reached through the SECURITY DEFINER functions below, whose
-- search_path is pinned and which only the kit may execute.

CREATE TABLE IF NOT EXISTS bicoastal.state (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL CHECK (epoch > 0),
    fence_reason text,
    fence_epoch bigint,
    fenced_at timestamptz,
    expelled_at timestamptz,
    -- A replica in the other region has streamed in this epoch: it might have been promoted while it was out of sight.
    replica_expected boolean NOT NULL DEFAULT false,
    CHECK ((fenced_at IS NULL) = (fence_reason IS NULL) AND (fenced_at IS NULL) = (fence_epoch IS NULL))
);
COMMENT ON TABLE bicoastal.state IS 'One row: the epoch of this database and its fence.';
-- Where the fence was made. A database that was promoted since is on another timeline: the fence came to it by WAL, and
-- may speak of its own takeover.
ALTER TABLE bicoastal.state ADD COLUMN IF NOT EXISTS fence_timeline text;
INSERT INTO bicoastal.state (epoch) VALUES (1) ON CONFLICT DO NOTHING;

-- Updated every second: half-empty pages keep these updates inside their page (HOT), without dead index entries.
CREATE TABLE IF NOT EXISTS bicoastal.heartbeat (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    beat_at timestamptz NOT NULL,
    region text NOT NULL,
    instance text NOT NULL,
    epoch bigint NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE bicoastal.heartbeat IS 'One row, written every second in the region that holds the writer.';

CREATE TABLE IF NOT EXISTS bicoastal.evidence (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    witness_at timestamptz,
    replica_at timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE bicoastal.evidence IS 'When any instance last saw the witness, and the replica of the other region.';
INSERT INTO bicoastal.evidence DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS bicoastal.probe (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    written_at timestamptz,
    nonce text
) WITH (fillfactor = 50);
COMMENT ON TABLE bicoastal.probe IS 'Written as the application''s role to prove that it can write.';
INSERT INTO bicoastal.probe DEFAULT VALUES ON CONFLICT DO NOTHING;

CREATE TABLE IF NOT EXISTS bicoastal.release (
    version text PRIMARY KEY,
    released_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE bicoastal.release IS 'Versions of the application whose release command has succeeded.';


CREATE OR REPLACE FUNCTION bicoastal.beat(p_region text, p_instance text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH written AS (
        INSERT INTO bicoastal.heartbeat (beat_at, region, instance, epoch)
        SELECT clock_timestamp(), p_region, p_instance, epoch FROM bicoastal.state WHERE fenced_at IS NULL
        ON CONFLICT (one) DO UPDATE SET beat_at = excluded.beat_at, region = excluded.region,
            instance = excluded.instance, epoch = excluded.epoch
        RETURNING 1
    )
    SELECT count(*) = 1 FROM written
$$;
COMMENT ON FUNCTION bicoastal.beat IS 'Write the heartbeat, unless the database is fenced.';


CREATE OR REPLACE FUNCTION bicoastal.saw(p_witness boolean, p_replica boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE bicoastal.evidence SET
        witness_at = CASE WHEN p_witness THEN clock_timestamp() ELSE witness_at END,
        replica_at = CASE WHEN p_replica THEN clock_timestamp() ELSE replica_at END;
    IF p_replica THEN
        UPDATE bicoastal.state SET replica_expected = true WHERE NOT replica_expected;
    END IF;
END
$$;
COMMENT ON FUNCTION bicoastal.saw IS 'Record for all instances that this one has just seen the witness, or the replica.';


CREATE OR REPLACE FUNCTION bicoastal.fence(p_epoch bigint, p_reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s bicoastal.state;
BEGIN
    SELECT * INTO STRICT s FROM bicoastal.state FOR UPDATE;
    -- Decided here, under the row's lock, and not by the caller: its observation may be older than an `unfence`.
    IF p_epoch < s.epoch OR (p_reason = 'superseded' AND p_epoch = s.epoch) THEN
        RETURN 'stale';
    END IF;
    -- A stronger fence may replace a fence for isolation, never the other way round.
    IF s.fenced_at IS NOT NULL
        AND (p_reason = 'isolated' OR s.fence_epoch > p_epoch OR (s.fence_epoch = p_epoch AND s.fence_reason = p_reason))
    THEN
        RETURN 'already';
    END IF;
    UPDATE bicoastal.state SET fence_reason = p_reason, fence_epoch = p_epoch,
        fenced_at = coalesce(s.fenced_at, clock_timestamp()), expelled_at = NULL,
        fence_timeline = left(pg_walfile_name(pg_current_wal_insert_lsn()), 8);
    -- Steers libpq to the other database (target_session_attrs=read-write). A session can override it, hence the REVOKE.
    EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database());
    REVOKE bicoastal_writer FROM app;
    IF pg_has_role('app', 'bicoastal_writer', 'MEMBER') THEN
        RETURN 'leaky: app holds bicoastal_writer by a grant that bicoastal_guard did not make';
    END IF;
    RETURN 'fenced';
END
$$;
COMMENT ON FUNCTION bicoastal.fence IS
    'Stop writes: fenced, already, stale (the epoch is not above this one), or leaky. Then call expel() until it is 0.';


CREATE OR REPLACE FUNCTION bicoastal.expel(p_wait_ms integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + make_interval(secs => p_wait_ms / 1000.0);
    pids integer[];
    p integer;
    remaining integer;
BEGIN
    -- Warnings about sessions that have already gone would fill the client's log.
    SET LOCAL client_min_messages = error;
    -- A transaction of its own, after fence() is committed: a session that began in between would keep the right to
    -- finish its statement. Here every session is either ended, or began without the role.
    IF (SELECT fenced_at IS NULL OR expelled_at IS NOT NULL FROM bicoastal.state) THEN
        RETURN 0;
    END IF;
    SELECT coalesce(array_agg(pid), '{}') INTO pids FROM pg_stat_activity
        WHERE datname = current_database() AND usename IN ('app', 'owner') AND backend_type = 'client backend';
    FOREACH p IN ARRAY pids LOOP
        PERFORM pg_terminate_backend(p);
    END LOOP;
    FOREACH p IN ARRAY pids LOOP
        PERFORM pg_terminate_backend(p, greatest(1, extract(epoch FROM deadline - clock_timestamp()) * 1000)::bigint);
    END LOOP;
    -- Within a transaction the view goes on showing what it showed first.
    PERFORM pg_stat_clear_snapshot();
    SELECT count(*) INTO remaining FROM pg_stat_activity WHERE pid = ANY (pids) AND backend_type = 'client backend';
    IF remaining = 0 THEN
        UPDATE bicoastal.state SET expelled_at = clock_timestamp() WHERE fenced_at IS NOT NULL;
    END IF;
    RETURN remaining;
END
$$;
COMMENT ON FUNCTION bicoastal.expel IS 'End the sessions that began before the fence; returns how many are still there.';


CREATE OR REPLACE FUNCTION bicoastal.admit() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER DATABASE %I RESET default_transaction_read_only', current_database());
    IF NOT pg_has_role('app', 'bicoastal_writer', 'MEMBER') THEN
        GRANT bicoastal_writer TO app;
    END IF;
    UPDATE bicoastal.state SET fence_reason = NULL, fence_epoch = NULL, fenced_at = NULL, expelled_at = NULL;
END
$$;
COMMENT ON FUNCTION bicoastal.admit IS 'Let the application write. Nobody may execute it; unfence, lift and bootstrap call it.';


CREATE OR REPLACE FUNCTION bicoastal.unfence(p_epoch bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s bicoastal.state;
BEGIN
    SELECT * INTO STRICT s FROM bicoastal.state FOR UPDATE;
    IF p_epoch < s.epoch THEN
        RAISE EXCEPTION 'epoch % is below this database''s own epoch %', p_epoch, s.epoch USING ERRCODE = 'BC001';
    END IF;
    -- The successor itself, if it was promoted after the fence had reached it, lifts it with the epoch that it names.
    IF s.fence_reason = 'superseded' AND (p_epoch < s.fence_epoch OR (p_epoch = s.fence_epoch
        AND s.fence_timeline IS NOT DISTINCT FROM left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)))
    THEN
        RAISE EXCEPTION 'epoch % belongs to the database that superseded this one; only a higher one may follow', s.fence_epoch
            USING ERRCODE = 'BC001';
    END IF;
    PERFORM bicoastal.admit();
    IF p_epoch > s.epoch THEN
        UPDATE bicoastal.state SET epoch = p_epoch;
    END IF;
    -- Nobody follows this database yet in the new epoch.
    IF p_epoch > s.epoch OR s.fenced_at IS NOT NULL THEN
        UPDATE bicoastal.state SET replica_expected = false;
        UPDATE bicoastal.evidence SET witness_at = NULL, replica_at = NULL;
    END IF;
    RETURN CASE WHEN s.fenced_at IS NOT NULL THEN 'lifted' WHEN p_epoch > s.epoch THEN 'raised' ELSE 'unchanged' END;
END
$$;
COMMENT ON FUNCTION bicoastal.unfence IS 'Lift any fence and raise the epoch; an epoch below the own one is an error.';


CREATE OR REPLACE FUNCTION bicoastal.lift(p_epoch bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s bicoastal.state;
BEGIN
    SELECT * INTO STRICT s FROM bicoastal.state FOR UPDATE;
    IF s.fence_reason IS DISTINCT FROM 'isolated' OR p_epoch <> s.epoch THEN
        RETURN 'stale';
    END IF;
    PERFORM bicoastal.admit();
    RETURN 'lifted';
END
$$;
COMMENT ON FUNCTION bicoastal.lift IS 'Lift a fence for isolation, and no other.';


REVOKE ALL ON ALL FUNCTIONS IN SCHEMA bicoastal FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bicoastal.beat, bicoastal.saw, bicoastal.fence, bicoastal.expel, bicoastal.unfence, bicoastal.lift
    TO kit;
GRANT USAGE ON SCHEMA bicoastal TO kit, bicoastal_reader, owner;
GRANT SELECT ON bicoastal.state, bicoastal.heartbeat TO kit, bicoastal_reader, owner;
GRANT SELECT ON bicoastal.evidence, bicoastal.release TO kit;
GRANT SELECT, INSERT ON bicoastal.release TO owner;
GRANT SELECT ON bicoastal.probe TO bicoastal_reader;
GRANT UPDATE (written_at, nonce) ON bicoastal.probe TO bicoastal_writer;
