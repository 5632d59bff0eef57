-- Data keys of one service: run in every schema that seals values, found by search_path.
--
-- Each tenant's secrets, and those of the platform, are sealed with a key of their own, which lies here wrapped by the key
-- ring. Deleting a tenant's rows makes all it ever sealed unreadable, but for backups that hold the rows.

CREATE TABLE data_keys (
    -- None for the platform's own.
    tenant_id  uuid CHECK (tenant_id <> '00000000-0000-0000-0000-000000000000'),
    -- Values name it.
    id         uuid NOT NULL PRIMARY KEY,
    wrapped    text NOT NULL,
    -- The key of the ring that it is wrapped with, read off `wrapped` so that it cannot say anything else.
    kek        text NOT NULL GENERATED ALWAYS AS (split_part(wrapped, '.', 2)) STORED,
    -- An active one seals; a retired one opens what it sealed before.
    state      text NOT NULL CHECK (state IN ('active', 'retired')),
    created_at timestamptz NOT NULL
);

-- Two that seal at once agree on one key.
CREATE UNIQUE INDEX data_keys_active ON data_keys (tenant_id) NULLS NOT DISTINCT WHERE state = 'active';
CREATE INDEX data_keys_kek ON data_keys (kek, id);
CREATE INDEX data_keys_tenant ON data_keys (tenant_id);

SELECT plaza.scoped_table(format('%I.data_keys', current_schema())::regclass, 'SELECT, INSERT');
SELECT plaza.system_may(format('%I.data_keys', current_schema())::regclass, 'SELECT, INSERT, UPDATE, DELETE');
