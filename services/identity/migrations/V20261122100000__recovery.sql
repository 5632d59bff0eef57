-- What people say about themselves in a tenant, and on the platform. A version counts the changes of a row.
ALTER TABLE identity.memberships
    ADD COLUMN version    bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz,
    -- A language tag (RFC 5646) and a name of the time zone database; NULL: not said.
    ADD COLUMN locale     text,
    ADD COLUMN timezone   text,
    -- Somebody else asked for this membership. False: the person registered, and proves the address where that is asked for.
    ADD COLUMN vouched    boolean NOT NULL DEFAULT true;
ALTER TABLE identity.platform_admins
    ADD COLUMN version    bigint NOT NULL DEFAULT 1,
    ADD COLUMN updated_at timestamptz,
    ADD COLUMN locale     text,
    ADD COLUMN timezone   text;

-- Since when somebody has proven to read what is sent to the address.
ALTER TABLE identity.users ADD COLUMN email_verified_at timestamptz;

-- Proofs that somebody reads what is sent to an account's address: for a new password, or for nothing but that. Of the
-- account, so of no tenant. What is sent is derived from the id and the server's secret; here lies its hash.
CREATE TABLE identity.proofs (
    id          uuid        NOT NULL PRIMARY KEY,
    user_id     uuid        NOT NULL REFERENCES identity.users (id) ON DELETE CASCADE,
    purpose     text        NOT NULL CHECK (purpose IN ('reset', 'verify')),
    -- SHA-256 of the token.
    token_hash  bytea       NOT NULL CHECK (octet_length(token_hash) = 32),
    -- The code to be typed in place of the link. Short enough to be guessed from a plain hash: this one is keyed.
    code_hash   bytea       CHECK (octet_length(code_hash) = 32),
    tries       smallint    NOT NULL DEFAULT 0,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    -- Used, or replaced by a newer one.
    consumed_at timestamptz,
    CONSTRAINT proofs_token_hash_key UNIQUE (token_hash)
);
-- One live proof per account and purpose: a new one replaces the old.
CREATE UNIQUE INDEX proofs_live ON identity.proofs (user_id, purpose) WHERE consumed_at IS NULL;
CREATE INDEX proofs_expires_at ON identity.proofs (expires_at);
SELECT plaza.global_table('identity.proofs');

-- Mails that identity owes somebody. Asking writes a row whether the address has an account or not; whoever does the work
-- finds out. Nothing secret is kept here.
CREATE TABLE identity.due_mails (
    id         uuid        NOT NULL PRIMARY KEY,
    template   text        NOT NULL CHECK (template IN ('reset', 'verify', 'password_changed')),
    -- The address in the form it is compared by. The mail goes to the account's own, if there is one.
    email_norm text        NOT NULL,
    created_at timestamptz NOT NULL,
    -- When it is tried next; whoever tries moves it on first, so that nobody else does meanwhile.
    due_at     timestamptz NOT NULL,
    attempts   integer     NOT NULL DEFAULT 0
);
CREATE INDEX due_mails_due_at ON identity.due_mails (due_at);
SELECT plaza.global_table('identity.due_mails');

-- Clients (an address of IPv4, 64 bits of IPv6) from which the right password came lately: strangers' guesses do not slow
-- these down.
CREATE TABLE identity.known_devices (
    user_id uuid        NOT NULL REFERENCES identity.users (id) ON DELETE CASCADE,
    client  bytea       NOT NULL CHECK (octet_length(client) IN (4, 8)),
    last_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, client)
);
CREATE INDEX known_devices_last_at ON identity.known_devices (last_at);
SELECT plaza.global_table('identity.known_devices');

-- Sessions end with their membership, or while it is disabled: they do not come back with it. Not validated: the rows that
-- are there obey the narrower rule that this one replaces.
ALTER TABLE identity.sessions
    DROP CONSTRAINT sessions_revoked_because_check,
    ADD CONSTRAINT sessions_revoked_because_check
        CHECK (revoked_because IN ('logout', 'refresh_reused', 'revoked', 'removed', 'disabled')) NOT VALID;
