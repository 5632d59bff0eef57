-- Audit of one service: run in every service's schema, found by search_path.
--
-- A row is written in the transaction of the change that it tells of, and never changed. Nobody may: the service's login
-- adds and reads, the system login reads. Chaining comes after the fact, so that tenants' changes wait for no common row.

CREATE TABLE audit (
    -- None for what was done on the platform itself.
    tenant_id   uuid CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    id          uuid NOT NULL PRIMARY KEY,
    at          timestamptz NOT NULL,
    actor_kind  text NOT NULL CHECK (actor_kind IN ('person', 'service', 'operator', 'nobody')),
    actor       uuid,
    -- A person's role; the name of a service.
    actor_role  text,
    request_id  text,
    action      text NOT NULL CHECK (octet_length(action) BETWEEN 1 AND 100),
    target_kind text NOT NULL,
    target      text,
    outcome     text NOT NULL CHECK (outcome IN ('done', 'denied')),
    -- JSON as text: what is hashed is what was written, byte by byte.
    before      text,
    after       text
);

CREATE INDEX audit_newest ON audit (tenant_id, id DESC);
CREATE INDEX audit_actor ON audit (tenant_id, actor, id DESC);
CREATE INDEX audit_target ON audit (tenant_id, target, id DESC);

-- What is not chained yet. The platform stands for the last tenant there could be.
CREATE TABLE audit_due (
    holder uuid NOT NULL,
    id     uuid NOT NULL,
    PRIMARY KEY (holder, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- A chain for each tenant, and one for the platform: each hash covers the one before it.
CREATE TABLE audit_chain (
    tenant_id uuid CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    holder    uuid NOT NULL GENERATED ALWAYS AS (coalesce(tenant_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')) STORED,
    -- From 1, without gaps.
    seq       bigint NOT NULL CHECK (seq > 0),
    entry     uuid NOT NULL UNIQUE,
    hash      bytea NOT NULL CHECK (octet_length(hash) = 32),
    at        timestamptz NOT NULL,
    PRIMARY KEY (holder, seq)
);

DO $$
DECLARE
    own   text := current_schema();
    login text := 'plaza_' || current_schema();
BEGIN
    PERFORM plaza.scoped_table(format('%I.audit', own)::regclass, 'SELECT, INSERT');
    PERFORM plaza.scoped_table(format('%I.audit_chain', own)::regclass, 'SELECT');
    EXECUTE format('GRANT INSERT ON audit_due TO %I', login);

    PERFORM plaza.system_may(format('%I.audit', own)::regclass, 'SELECT');
    PERFORM plaza.system_may(format('%I.audit_due', own)::regclass, 'SELECT, DELETE');
    PERFORM plaza.system_may(format('%I.audit_chain', own)::regclass, 'SELECT, INSERT');
END
$$;
