-- Text messages go out from senders of their own. Not validated: the rows that are there obey the narrower rules that these
-- replace, so nothing has to be read while the tables are locked.
ALTER TABLE notification.senders
    DROP CONSTRAINT senders_channel_check,
    ADD CONSTRAINT senders_channel_check CHECK (channel IN ('whatsapp', 'sms')) NOT VALID,
    -- What a provider needs to know beside account and secret. For text messages: Twilio's `account_sid`.
    ADD COLUMN settings jsonb NOT NULL DEFAULT '{}';
ALTER TABLE notification.messages
    DROP CONSTRAINT messages_channel_check,
    ADD CONSTRAINT messages_channel_check CHECK (channel IN ('whatsapp', 'sms')) NOT VALID;

-- Mails to people: a tenant's, or the platform's own. Whoever asks for one names its id, so that asking twice is asking
-- once.
CREATE TABLE notification.mails (
    tenant_id   uuid,
    id          uuid        PRIMARY KEY,
    recipient   text        NOT NULL,
    template    text        NOT NULL,
    locale      text        NOT NULL,
    from_name   text        NOT NULL,
    subject     text        NOT NULL,
    -- What the mail says, sealed: there are links in it that let people in. NULL once it is sent.
    sealed      text,
    -- `kept`: there is no mail server, and it is looked at in the development inbox.
    state       text        NOT NULL CHECK (state IN ('queued', 'leased', 'sent', 'failed', 'kept')),
    -- Raised by every claim: what an earlier holder writes finds no row.
    epoch       integer     NOT NULL DEFAULT 0,
    -- How often a server refused it for now, and how often nobody knows whether the server has it.
    attempts    integer     NOT NULL DEFAULT 0,
    doubts      integer     NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL,
    lease_until timestamptz,
    error_text  text,
    -- What the server said when it took it.
    accepted_as text,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
SELECT plaza.scoped_table('notification.mails', 'SELECT, INSERT');
SELECT plaza.system_may('notification.mails', 'SELECT, UPDATE, DELETE');

-- By holder: tenants, and the platform, have their turns one after the other.
CREATE INDEX mails_due ON notification.mails
    ((coalesce(tenant_id, '00000000-0000-0000-0000-000000000000')), due_at, id) WHERE state = 'queued';
CREATE INDEX mails_leased ON notification.mails (lease_until) WHERE state = 'leased';
CREATE INDEX mails_over ON notification.mails (updated_at) WHERE state IN ('sent', 'failed', 'kept');
