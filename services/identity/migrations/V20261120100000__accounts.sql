-- Accounts are global: one person, one account, any number of tenants. Only identity's own logins reach them.
CREATE TABLE identity.users (
    id          uuid        NOT NULL PRIMARY KEY,
    email       text        NOT NULL,
    -- Lower-case ASCII: what the address is compared by.
    email_norm  text        NOT NULL,
    status      text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    -- Counts up whenever every session of the account has to end; a session remembers the epoch it began in.
    epoch       integer     NOT NULL DEFAULT 0,
    -- Since when the platform itself vouches that the address belongs to whoever knows the password.
    verified_at timestamptz,
    -- How often the address was named again, by a registration, an invitation or a tenant.
    claims      integer     NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    CONSTRAINT users_email_norm_key UNIQUE (email_norm)
);
SELECT plaza.global_table('identity.users');

-- No row: the account has no password yet and nobody can log in with one.
CREATE TABLE identity.credentials (
    user_id    uuid        NOT NULL PRIMARY KEY REFERENCES identity.users (id) ON DELETE CASCADE,
    -- PHC string with algorithm and parameters.
    phc        text        NOT NULL,
    changed_at timestamptz NOT NULL
);
SELECT plaza.global_table('identity.credentials');

CREATE TABLE identity.platform_admins (
    user_id    uuid        NOT NULL PRIMARY KEY REFERENCES identity.users (id) ON DELETE CASCADE,
    name       text        NOT NULL DEFAULT '',
    role       text        NOT NULL DEFAULT 'platform_admin' CHECK (role = 'platform_admin'),
    status     text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    created_at timestamptz NOT NULL
);
SELECT plaza.global_table('identity.platform_admins');

CREATE TABLE identity.memberships (
    tenant_id  uuid        NOT NULL,
    user_id    uuid        NOT NULL REFERENCES identity.users (id) ON DELETE CASCADE,
    email_norm text        NOT NULL,
    name       text        NOT NULL DEFAULT '',
    profile    jsonb       NOT NULL DEFAULT '{}',
    role       text        NOT NULL CHECK (role IN ('owner', 'member')),
    -- An invited member, or owner, becomes active with the link that was made for this membership.
    status     text        NOT NULL CHECK (status IN ('invited', 'active', 'disabled')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    CONSTRAINT memberships_tenant_id_email_norm_key UNIQUE (tenant_id, email_norm)
);
-- "Where may this account enter?": asked by the system login when a login names no tenant.
CREATE INDEX memberships_user_id ON identity.memberships (user_id);
SELECT plaza.tenant_table('identity.memberships');
SELECT plaza.system_may('identity.memberships', 'SELECT');
