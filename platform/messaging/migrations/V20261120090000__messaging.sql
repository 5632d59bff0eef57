-- Messaging of one service: run in every service's schema, found by search_path.
--
-- The service's login writes `outbox` and `inbox` and takes away its own delivery, each inside the transaction of the
-- effect. Everything else (relaying, claiming, dead letters, cleaning) is done by the system login.
-- Times that only pace the queues are the database's, so that the clocks of a fleet need not agree.

CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id    uuid NOT NULL UNIQUE,
    -- None for facts of the platform itself.
    tenant_id   uuid CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    key         text NOT NULL CHECK (octet_length(key) BETWEEN 1 AND 512),
    name        text NOT NULL,
    version     integer NOT NULL,
    source      text NOT NULL,
    -- text, not jsonb: the body that consumers get is the one that was written, byte by byte.
    payload     text NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    -- None until a publication failed.
    next_at     timestamptz,
    last_error  text,
    parked_at   timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX outbox_waiting ON outbox (id) WHERE parked_at IS NULL;
CREATE INDEX outbox_failed ON outbox (key) WHERE next_at IS NOT NULL AND parked_at IS NULL;

CREATE TABLE inbox (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    done_at  timestamptz NOT NULL,
    PRIMARY KEY (consumer, event_id)
);

CREATE INDEX inbox_age ON inbox (done_at);

CREATE TABLE deliveries (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer    text NOT NULL,
    event_id    uuid NOT NULL,
    tenant_id   uuid CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    key         text NOT NULL,
    name        text NOT NULL,
    version     integer NOT NULL,
    source      text NOT NULL,
    payload     text NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL,
    -- Counted when a delivery is claimed, so that one that kills the process is counted too.
    attempts    integer NOT NULL DEFAULT 0,
    -- None until it was claimed: then the end of the claim, or when to try again.
    next_at     timestamptz,
    last_error  text,
    UNIQUE (consumer, event_id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE INDEX deliveries_order ON deliveries (consumer, id);
CREATE INDEX deliveries_waiting ON deliveries (consumer, key) WHERE next_at IS NOT NULL;

CREATE TABLE dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer    text NOT NULL,
    event_id    uuid NOT NULL,
    tenant_id   uuid,
    key         text NOT NULL,
    name        text NOT NULL,
    version     integer NOT NULL,
    source      text NOT NULL,
    payload     text NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL,
    attempts    integer NOT NULL,
    error       text NOT NULL,
    died_at     timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'dead' CHECK (state IN ('dead', 'replayed')),
    UNIQUE (consumer, event_id)
);

CREATE TABLE leases (
    name   text PRIMARY KEY,
    holder uuid NOT NULL,
    epoch  bigint NOT NULL,
    until  timestamptz NOT NULL
);

DO $$
DECLARE
    own   text := current_schema();
    login text := 'plaza_' || current_schema();
BEGIN
    PERFORM plaza.scoped_table(format('%I.outbox', own)::regclass, 'INSERT');
    PERFORM plaza.scoped_table(format('%I.deliveries', own)::regclass, 'DELETE');
    PERFORM plaza.scoped_table(format('%I.dead_letters', own)::regclass, '');
    -- What a DELETE has to look at; the bodies of events are not for the service's login to read.
    EXECUTE format('GRANT SELECT (id, attempts) ON deliveries TO %I', login);
    EXECUTE format('GRANT INSERT ON inbox TO %I', login);

    PERFORM plaza.system_may(format('%I.outbox', own)::regclass, 'SELECT, UPDATE, DELETE');
    PERFORM plaza.system_may(format('%I.inbox', own)::regclass, 'SELECT, DELETE');
    PERFORM plaza.system_may(format('%I.deliveries', own)::regclass, 'SELECT, INSERT, UPDATE, DELETE');
    PERFORM plaza.system_may(format('%I.dead_letters', own)::regclass, 'SELECT, INSERT, UPDATE, DELETE');
    PERFORM plaza.system_may(format('%I.leases', own)::regclass, 'SELECT, INSERT, UPDATE');
END
$$;
