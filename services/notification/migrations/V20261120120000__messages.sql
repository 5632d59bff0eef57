CREATE TABLE notification.senders (
    tenant_id     uuid        NOT NULL,
    id            uuid        NOT NULL,
    channel       text        NOT NULL CHECK (channel IN ('whatsapp')),
    name          text        NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    -- The provider's id of the account: Meta's phone number id.
    account_id    text        NOT NULL,
    -- Sealed by the key ring; the row's id is part of what it is sealed with.
    access_token  text        NOT NULL,
    -- Messages a second; 0 is without limit.
    rate          integer     NOT NULL CHECK (rate >= 0),
    status        text        NOT NULL CHECK (status IN ('active', 'paused', 'needs_auth')),
    status_reason text,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT senders_name_key UNIQUE (tenant_id, name),
    CONSTRAINT senders_account_key UNIQUE (tenant_id, channel, account_id)
);
SELECT plaza.tenant_table('notification.senders');
SELECT plaza.system_may('notification.senders', 'SELECT');

-- Who says that an account is theirs. Callbacks carry no tenant, so these names have a table over all tenants that
-- holds nothing else. Nobody proves that an account is theirs: each tenant that names it is a holder, none keeps
-- another out, and a callback is every holder's, about their own messages.
CREATE TABLE notification.provider_accounts (
    provider   text NOT NULL,
    account_id text NOT NULL,
    holder     uuid NOT NULL,
    PRIMARY KEY (provider, account_id, holder)
);
SELECT plaza.global_table('notification.provider_accounts');

CREATE TABLE notification.messages (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    -- Who asked for it: `campaign:<id>`.
    source          text        NOT NULL,
    sender_id       uuid        NOT NULL,
    channel         text        NOT NULL CHECK (channel IN ('whatsapp')),
    address         text        NOT NULL,
    content         text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('queued', 'leased', 'unknown', 'accepted', 'sent',
                                                          'failed', 'delivered', 'read', 'skipped', 'expired',
                                                          'cancelled')),
    -- Raised by every lease: what an earlier holder writes finds no row.
    epoch           integer     NOT NULL DEFAULT 0,
    attempts        integer     NOT NULL DEFAULT 0,
    -- How often it was sent again because nobody knew whether the provider had it.
    resends         integer     NOT NULL DEFAULT 0,
    -- Why nobody knows: our own crash, or the provider's silence.
    unknown_because text        CHECK (unknown_because IN ('crash', 'silence')),
    due_at          timestamptz NOT NULL,
    lease_until     timestamptz,
    provider_id     text,
    error_code      text,
    error_text      text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT messages_sender_fkey FOREIGN KEY (tenant_id, sender_id)
        REFERENCES notification.senders (tenant_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);
SELECT plaza.tenant_table('notification.messages');
SELECT plaza.system_may('notification.messages', 'SELECT, UPDATE');

CREATE INDEX messages_due ON notification.messages (tenant_id, sender_id, due_at, id) WHERE state = 'queued';
CREATE INDEX messages_leased ON notification.messages (lease_until) WHERE state = 'leased';
CREATE INDEX messages_unknown ON notification.messages (due_at) WHERE state = 'unknown';
CREATE INDEX messages_open ON notification.messages (tenant_id, source)
    WHERE state IN ('queued', 'leased', 'unknown');
-- Lists by age: of a source, of a state (a rare one is not looked for among all others), and of both. The last one is
-- what a source is counted with.
CREATE INDEX messages_source ON notification.messages (tenant_id, source, id);
CREATE INDEX messages_state ON notification.messages (tenant_id, state, id);
CREATE INDEX messages_source_state ON notification.messages (tenant_id, source, state, id);

-- The ladder: a later rank wins. Delivered and read override failed, sent does not.
CREATE FUNCTION notification.rank(state text) RETURNS smallint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE state
        WHEN 'queued' THEN 0 WHEN 'leased' THEN 1 WHEN 'unknown' THEN 2 WHEN 'accepted' THEN 3 WHEN 'sent' THEN 4
        WHEN 'failed' THEN 5 WHEN 'delivered' THEN 6 WHEN 'read' THEN 7
        ELSE 99 END::smallint;

-- What providers told us, each fact once.
CREATE TABLE notification.receipts (
    tenant_id   uuid        NOT NULL,
    message_id  uuid        NOT NULL,
    provider_id text        NOT NULL,
    status      text        NOT NULL,
    at          timestamptz NOT NULL,
    error_code  text,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, message_id, provider_id, status)
);
SELECT plaza.append_only_tenant_table('notification.receipts');

-- Who must not be written to.
CREATE TABLE notification.suppressions (
    tenant_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    channel    text        NOT NULL,
    address    text        NOT NULL,
    reason     text        NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT suppressions_address_key UNIQUE (tenant_id, channel, address)
);
SELECT plaza.tenant_table('notification.suppressions');

-- Which process works a sender now. One at a time, so that its rate and its messages in flight are bounded.
CREATE TABLE notification.sender_leases (
    tenant_id uuid        NOT NULL,
    sender_id uuid        NOT NULL,
    holder    uuid        NOT NULL,
    until     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sender_id)
);
SELECT plaza.tenant_table('notification.sender_leases');
