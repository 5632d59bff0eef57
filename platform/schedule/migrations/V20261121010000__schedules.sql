-- Schedules of one service: run in every service's schema, found by search_path.
--
-- One row for each schedule. All times that decide something are the database's.

CREATE TABLE schedules (
    name            text PRIMARY KEY CHECK (octet_length(name) BETWEEN 1 AND 200),
    -- As declared by the process that wrote `next_at`. One that declares something else claims nothing.
    cron            text NOT NULL,
    zone            text NOT NULL,
    -- The last time that a process said it has this schedule; long ago: the schedule was renamed or removed.
    declared_at     timestamptz NOT NULL,
    -- The next firing that nobody has begun.
    next_at         timestamptz NOT NULL,
    -- The firing that was begun and has not come to its end.
    firing_at       timestamptz,
    -- How often that firing was taken up.
    attempts        integer NOT NULL DEFAULT 0,
    -- Rises with every taking: whoever shows a smaller one has lost the firing.
    fence           bigint NOT NULL DEFAULT 0,
    -- Who works on it; none while a failed firing waits for its retry.
    holder          uuid,
    -- With a holder the end of its lease, without one the time of the retry.
    until           timestamptz,
    runs            bigint NOT NULL DEFAULT 0,
    failures        bigint NOT NULL DEFAULT 0,
    -- Firings for which nothing was done: nobody was there, or they failed until the next one was due.
    missed          bigint NOT NULL DEFAULT 0,
    last_firing_at  timestamptz,
    last_began_at   timestamptz,
    last_ended_at   timestamptz,
    last_outcome    text CHECK (last_outcome IN ('done', 'failed')),
    -- Of the latest failure, also after a later success.
    last_error      text,
    CHECK (holder IS NULL OR (firing_at IS NOT NULL AND until IS NOT NULL))
);

DO $$
DECLARE
    own   text := current_schema();
    login text := 'plaza_' || current_schema();
BEGIN
    PERFORM plaza.system_may(format('%I.schedules', own)::regclass, 'SELECT, INSERT, UPDATE, DELETE');
    -- What work needs to hold its firing inside a transaction of its own: locking a row takes the right to update
    -- some column of it.
    EXECUTE format('GRANT SELECT (name, fence, holder), UPDATE (fence) ON schedules TO %I', login);
END
$$;
