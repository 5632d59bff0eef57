-- Expand only: the program before this one must still run on it. It knows nothing of what is held or called off: nothing is
-- to be held before it is gone.

-- `class`: `marketing` for what windows, caps and opt-outs of advertising apply to. `zone`: where the recipient is, an IANA
-- name or a country's two letters. After `expires_at` it is not sent any more. `segments`: of a text message, what it costs.
ALTER TABLE notification.messages
    ADD COLUMN class      text,
    ADD COLUMN zone       text,
    ADD COLUMN expires_at timestamptz,
    ADD COLUMN segments   integer;

-- One person's number in one spelling, where a country has two for the same telephone: Brazil's mobile numbers with and
-- without their ninth digit, Mexico's and Argentina's with and without the digit for mobile ones. Numbers are looked up by
-- it and never rewritten. `addresses.rs` says the same.
CREATE FUNCTION notification.address_key(address text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN address ~ '^\+55[1-9][0-9]9[6-9][0-9]{7}$' THEN substr(address, 1, 5) || substr(address, 7)
        WHEN address ~ '^\+521[0-9]{10}$' THEN '+52' || substr(address, 5)
        WHEN address ~ '^\+549[0-9]{10}$' THEN '+54' || substr(address, 5)
        ELSE address END;

-- Every spelling of the number that a key stands for. `addresses.rs` says the same.
CREATE FUNCTION notification.spellings(key text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE
        WHEN key ~ '^\+55[1-9][0-9][6-9][0-9]{7}$' THEN ARRAY[key, substr(key, 1, 5) || '9' || substr(key, 6)]
        WHEN key ~ '^\+52[0-9]{10}$' THEN ARRAY[key, '+521' || substr(key, 4)]
        WHEN key ~ '^\+54[0-9]{10}$' THEN ARRAY[key, '+549' || substr(key, 4)]
        ELSE ARRAY[key] END;

-- What people of the tenant suppress by hand. `scope`: all, or advertising only.
ALTER TABLE notification.suppressions
    ADD COLUMN scope text NOT NULL DEFAULT 'all',
    ADD CONSTRAINT suppressions_scope_check CHECK (scope IN ('all', 'marketing')) NOT VALID;

-- What people say about being written to, by each way in which we hear of it (`source`): `stop` (they wrote so), `preference`
-- (told to the provider), `provider` (its refusal said so), `review` (perhaps meant, and to be looked at). The last word of
-- each way, and when it was said by the clock of whoever told it: what is told later and was said earlier counts no more.
CREATE TABLE notification.opt_outs (
    tenant_id   uuid        NOT NULL,
    address_key text        NOT NULL,
    channel     text        NOT NULL,
    source      text        NOT NULL CHECK (source IN ('stop', 'preference', 'provider', 'review')),
    id          uuid        NOT NULL,
    address     text        NOT NULL,
    scope       text        NOT NULL CHECK (scope IN ('all', 'marketing')),
    -- False: they want it again.
    stands      boolean     NOT NULL,
    said_at     timestamptz NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, address_key, channel, source),
    CONSTRAINT opt_outs_id_key UNIQUE (tenant_id, id)
);
SELECT plaza.tenant_table('notification.opt_outs');
SELECT plaza.system_may('notification.opt_outs', 'SELECT, UPDATE, DELETE');

-- `business_account`: Meta's id of the account that the number belongs to, as its callbacks name it. `proven_at`: when a
-- message was first accepted from this account, which shows that the tenant's token may use it. What people write to the
-- account is told to nobody else.
ALTER TABLE notification.senders
    ADD COLUMN business_account text,
    ADD COLUMN proven_at        timestamptz;

-- What somebody asked messages for, and whether they go out. No row is `active`.
CREATE TABLE notification.sources (
    tenant_id  uuid        NOT NULL,
    source     text        NOT NULL,
    state      text        NOT NULL CHECK (state IN ('active', 'held', 'cancelled')),
    -- Why it is held, a code.
    reason     text,
    -- What stopped it, if failures did: JSON.
    tripped    text,
    -- When a provider first took one of its messages.
    first_sent_at timestamptz,
    -- Messages of it are not all where the state wants them.
    moving     boolean     NOT NULL DEFAULT false,
    -- Raised by every change of the state.
    epoch      integer     NOT NULL DEFAULT 0,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, source)
);
SELECT plaza.tenant_table('notification.sources');
SELECT plaza.system_may('notification.sources', 'SELECT');
CREATE INDEX sources_moving ON notification.sources (tenant_id, source) WHERE moving;

-- What is known of an address from what was sent to it: only of those of whom there is something to know.
CREATE TABLE notification.contacts (
    tenant_id      uuid          NOT NULL,
    channel        text          NOT NULL,
    address_key    text          NOT NULL,
    -- When advertising left for it: the last seven days, kept where the tenant caps that.
    sent_at        timestamptz[] NOT NULL DEFAULT '{}',
    -- How often the provider said that there is nobody, of which messages, and when last.
    unreachable    integer       NOT NULL DEFAULT 0,
    unreachable_by uuid[]        NOT NULL DEFAULT '{}',
    unreachable_at timestamptz,
    PRIMARY KEY (tenant_id, channel, address_key)
);
SELECT plaza.tenant_table('notification.contacts');
SELECT plaza.system_may('notification.contacts', 'SELECT, UPDATE, DELETE');

-- The tenant's own settings of messaging, as tenancy told them, and whether all of its messages wait.
CREATE TABLE notification.tenant_settings (
    tenant_id  uuid        NOT NULL,
    version    bigint      NOT NULL DEFAULT 0,
    document   text        NOT NULL DEFAULT '{}',
    held       boolean     NOT NULL DEFAULT false,
    -- When the tenant's state was as told: an older telling does not undo a newer one.
    held_as_of timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id)
);
SELECT plaza.tenant_table('notification.tenant_settings');
SELECT plaza.system_may('notification.tenant_settings', 'SELECT');

-- Theoretical arrival times (GCRA) of limits that hold for all senders of a tenant together.
CREATE TABLE notification.rate_state (
    tenant_id uuid        NOT NULL,
    key       text        NOT NULL,
    tat       timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, key)
);
SELECT plaza.tenant_table('notification.rate_state');

-- A person and a sender. The provider may name the person by a number, by an id of its own, or by both.
CREATE TABLE notification.conversations (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    sender_id       uuid        NOT NULL,
    channel         text        NOT NULL,
    address         text,
    address_key     text        GENERATED ALWAYS AS (notification.address_key(address)) STORED,
    provider_user   text,
    name            text,
    last_inbound_at timestamptz NOT NULL,
    -- Until when anything may be written to the person; after that only templates.
    window_until    timestamptz NOT NULL,
    unread          integer     NOT NULL DEFAULT 0,
    -- Somebody should read what was written: perhaps the person wants no more messages.
    needs_review    boolean     NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT conversations_address_key UNIQUE (tenant_id, sender_id, address_key),
    CONSTRAINT conversations_user_key UNIQUE (tenant_id, sender_id, provider_user),
    CONSTRAINT conversations_sender_fkey FOREIGN KEY (tenant_id, sender_id)
        REFERENCES notification.senders (tenant_id, id),
    CHECK (address IS NOT NULL OR provider_user IS NOT NULL)
);
SELECT plaza.tenant_table('notification.conversations');
CREATE INDEX conversations_latest ON notification.conversations (tenant_id, last_inbound_at, id);

-- What people wrote, each message once.
CREATE TABLE notification.inbound_messages (
    tenant_id       uuid        NOT NULL,
    id              uuid        NOT NULL,
    conversation_id uuid        NOT NULL,
    sender_id       uuid        NOT NULL,
    provider_id     text        NOT NULL,
    -- text, button, image, …; `other` for what is not known yet.
    kind            text        NOT NULL,
    body            text,
    -- The part of the callback that told of it, as JSON.
    payload         text        NOT NULL,
    -- What the words ask for: stop, start, help, review.
    keyword         text,
    -- When, by the provider's clock.
    at              timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    CONSTRAINT inbound_messages_provider_key UNIQUE (tenant_id, sender_id, provider_id),
    CONSTRAINT inbound_messages_conversation_fkey FOREIGN KEY (tenant_id, conversation_id)
        REFERENCES notification.conversations (tenant_id, id)
);
SELECT plaza.tenant_table('notification.inbound_messages');
CREATE INDEX inbound_messages_of_conversation ON notification.inbound_messages (tenant_id, conversation_id, id);

-- What the provider says of a sender's templates.
CREATE TABLE notification.provider_templates (
    tenant_id   uuid        NOT NULL,
    sender_id   uuid        NOT NULL,
    name        text        NOT NULL,
    language    text        NOT NULL,
    state       text        NOT NULL,
    reason      text,
    provider_id text,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, sender_id, name, language),
    CONSTRAINT provider_templates_sender_fkey FOREIGN KEY (tenant_id, sender_id)
        REFERENCES notification.senders (tenant_id, id)
);
SELECT plaza.tenant_table('notification.provider_templates');
