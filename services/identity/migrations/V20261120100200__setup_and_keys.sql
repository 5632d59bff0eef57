-- The one link that makes the platform's first administrator. At most one row, ever.
CREATE TABLE identity.platform_setup (
    id          uuid        NOT NULL PRIMARY KEY,
    only_one    boolean     NOT NULL DEFAULT true CHECK (only_one),
    -- SHA-256 of the token, which is derived from the id and the server's own secret and stored nowhere.
    token_hash  bytea       NOT NULL CHECK (octet_length(token_hash) = 32),
    created_at  timestamptz NOT NULL,
    consumed_at timestamptz,
    CONSTRAINT platform_setup_only_one_key UNIQUE (only_one)
);
SELECT plaza.global_table('identity.platform_setup');

-- Links with which owners and invited members set their first password.
CREATE TABLE identity.one_time_tokens (
    tenant_id   uuid        NOT NULL,
    id          uuid        NOT NULL,
    user_id     uuid        NOT NULL,
    purpose     text        NOT NULL CHECK (purpose IN ('owner', 'invite')),
    token_hash  bytea       NOT NULL CHECK (octet_length(token_hash) = 32),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    consumed_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT one_time_tokens_tenant_id_token_hash_key UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES identity.memberships (tenant_id, user_id) ON DELETE CASCADE
);
-- One live link per person and purpose: a new one replaces the old.
CREATE UNIQUE INDEX one_time_tokens_live ON identity.one_time_tokens (tenant_id, user_id, purpose)
    WHERE consumed_at IS NULL;
CREATE INDEX one_time_tokens_expires_at ON identity.one_time_tokens (expires_at);
SELECT plaza.tenant_table('identity.one_time_tokens');
SELECT plaza.system_may('identity.one_time_tokens', 'SELECT, DELETE');

CREATE TABLE identity.signing_keys (
    -- The key's RFC 7638 thumbprint.
    kid        text        NOT NULL PRIMARY KEY,
    -- PKCS#8, sealed by the key ring.
    sealed     text        NOT NULL,
    -- What the key set shows.
    public_jwk text        NOT NULL,
    created_at timestamptz NOT NULL,
    -- Shown until then; NULL for the key that signs.
    retire_at  timestamptz
);
SELECT plaza.global_table('identity.signing_keys');

-- Secrets of the service itself: what refresh tokens and setup links are derived from.
CREATE TABLE identity.server_secrets (
    name       text        NOT NULL PRIMARY KEY,
    sealed     text        NOT NULL,
    created_at timestamptz NOT NULL
);
SELECT plaza.global_table('identity.server_secrets');
