-- A session is one login; its refresh tokens are one family. Sessions of a tenant and of the platform live in tables
-- of their own with the same columns, so that the tenant's are under row-level security without an exception. The
-- tenant of a row is the transaction's: the statements are the same for both kinds.
CREATE TABLE identity.sessions (
    tenant_id           uuid        NOT NULL DEFAULT nullif(current_setting('app.tenant_id', true), '')::uuid,
    id                  uuid        NOT NULL,
    user_id             uuid        NOT NULL REFERENCES identity.users (id) ON DELETE CASCADE,
    epoch               integer     NOT NULL,
    created_at          timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    revoked_at          timestamptz,
    revoked_because     text CHECK (revoked_because IN ('logout', 'refresh_reused')),
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX sessions_user_id ON identity.sessions (user_id);
CREATE INDEX sessions_absolute_expires_at ON identity.sessions (absolute_expires_at);
SELECT plaza.tenant_table('identity.sessions');
SELECT plaza.system_may('identity.sessions', 'SELECT, DELETE');

CREATE TABLE identity.refresh_tokens (
    tenant_id  uuid        NOT NULL DEFAULT nullif(current_setting('app.tenant_id', true), '')::uuid,
    -- SHA-256 of the token.
    hash       bytea       NOT NULL CHECK (octet_length(hash) = 32),
    session_id uuid        NOT NULL,
    parent     bytea,
    generation integer     NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (tenant_id, hash),
    CONSTRAINT refresh_tokens_tenant_id_session_id_generation_key UNIQUE (tenant_id, session_id, generation),
    FOREIGN KEY (tenant_id, session_id) REFERENCES identity.sessions (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_expires_at ON identity.refresh_tokens (expires_at);
SELECT plaza.tenant_table('identity.refresh_tokens');
SELECT plaza.system_may('identity.refresh_tokens', 'SELECT, DELETE');

CREATE TABLE identity.platform_sessions (
    id                  uuid        NOT NULL PRIMARY KEY,
    user_id             uuid        NOT NULL REFERENCES identity.users (id) ON DELETE CASCADE,
    epoch               integer     NOT NULL,
    created_at          timestamptz NOT NULL,
    absolute_expires_at timestamptz NOT NULL,
    revoked_at          timestamptz,
    revoked_because     text CHECK (revoked_because IN ('logout', 'refresh_reused'))
);
CREATE INDEX platform_sessions_user_id ON identity.platform_sessions (user_id);
SELECT plaza.global_table('identity.platform_sessions');

CREATE TABLE identity.platform_refresh_tokens (
    hash       bytea       NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
    session_id uuid        NOT NULL REFERENCES identity.platform_sessions (id) ON DELETE CASCADE,
    parent     bytea,
    generation integer     NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at    timestamptz,
    CONSTRAINT platform_refresh_tokens_session_id_generation_key UNIQUE (session_id, generation)
);
SELECT plaza.global_table('identity.platform_refresh_tokens');
