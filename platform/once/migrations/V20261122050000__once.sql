-- Requests that clients may repeat: run in every schema of a service that answers such requests, found by search_path.
--
-- A row is written in the transaction of the effect, before it: who comes with the same key meanwhile waits on the row.

CREATE TABLE once (
    tenant_id   uuid NOT NULL,
    actor       uuid NOT NULL,
    -- The name of the operation: one key means one thing to each.
    route       text NOT NULL,
    -- SHA-256 of the key: what clients choose has no business in our tables.
    key_hash    bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    -- SHA-256 of the request.
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    -- What was answered; none only inside of the transaction.
    status      smallint CHECK (status BETWEEN 200 AND 299),
    body        text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, actor, route, key_hash)
);

CREATE INDEX once_age ON once (created_at);

SELECT plaza.tenant_table(format('%I.once', current_schema())::regclass);
SELECT plaza.system_may(format('%I.once', current_schema())::regclass, 'SELECT, DELETE');

-- The same for requests of the platform, such as the one that makes a tenant: it has no tenant yet that the key could be
-- looked for in.
CREATE TABLE once_platform (
    actor       uuid NOT NULL,
    route       text NOT NULL,
    key_hash    bytea NOT NULL CHECK (octet_length(key_hash) = 32),
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 32),
    status      smallint CHECK (status BETWEEN 200 AND 299),
    body        text,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (actor, route, key_hash)
);

CREATE INDEX once_platform_age ON once_platform (created_at);

SELECT plaza.global_table(format('%I.once_platform', current_schema())::regclass);
