-- Expand only: the program before this one must still run on it. It neither makes nor leaves the new states; a list with a
-- campaign in one of them it cannot read, as long as it runs beside this program.

-- `version` counts changes, for If-Match. `state_reason` is a code: why the campaign came to its state without anybody's
-- wish. `resumes` is what a paused campaign goes on with. `moving_*` is the lease of whoever tells notification what was
-- decided: nobody tells it the next thing before the one before was said.
ALTER TABLE broadcast.campaigns
    ADD COLUMN version      bigint NOT NULL DEFAULT 1,
    ADD COLUMN channel      text   NOT NULL DEFAULT 'whatsapp',
    ADD COLUMN schedule_at  timestamptz,
    ADD COLUMN expires_at   timestamptz,
    ADD COLUMN state_reason text,
    ADD COLUMN resumes      text,
    ADD COLUMN moving_token uuid,
    ADD COLUMN moving_until timestamptz,
    ADD COLUMN deleted_at   timestamptz,
    DROP CONSTRAINT campaigns_state_check,
    -- Not validated: the rows that are there obey the narrower rule that this one replaces.
    ADD CONSTRAINT campaigns_state_check
        CHECK (state IN ('draft', 'scheduled', 'planning', 'running', 'pausing', 'paused', 'resuming', 'cancelling',
                         'cancelled', 'completed', 'failed')) NOT VALID,
    ADD CONSTRAINT campaigns_channel_check CHECK (channel IN ('whatsapp', 'sms')) NOT VALID,
    ADD CONSTRAINT campaigns_resumes_check CHECK (resumes IN ('planning', 'running')) NOT VALID,
    ADD CONSTRAINT campaigns_scheduled_check CHECK (state <> 'scheduled' OR schedule_at IS NOT NULL) NOT VALID,
    ADD CONSTRAINT campaigns_resumable_check
        CHECK (state NOT IN ('pausing', 'paused', 'resuming') OR resumes IS NOT NULL) NOT VALID;

ALTER TABLE broadcast.plan
    DROP CONSTRAINT plan_reason_check,
    ADD CONSTRAINT plan_reason_check
        CHECK (reason IN ('send', 'no_consent', 'suppressed', 'duplicate', 'no_phone', 'missing_value', 'too_long',
                          'frequency_cap', 'wa_unreachable')) NOT VALID;

-- What was known before the person objected: it is so again when they take that back.
ALTER TABLE broadcast.recipients
    ADD COLUMN consent_before        text,
    ADD COLUMN consent_before_source text,
    ADD CONSTRAINT recipients_consent_before_check
        CHECK (consent_before IN ('granted', 'refused', 'unknown')) NOT VALID;

-- A template that was removed stays for the campaigns that were sent with it, and gives its name back.
ALTER TABLE broadcast.templates
    ADD COLUMN version     bigint NOT NULL DEFAULT 1,
    ADD COLUMN archived_at timestamptz,
    DROP CONSTRAINT templates_name_key;
-- Contract: it takes the place of the constraint of the same name in the same transaction; a tenant's templates are few.
CREATE UNIQUE INDEX templates_name_key ON broadcast.templates (tenant_id, name, language) WHERE archived_at IS NULL;

-- What the provider said last of a template, by the account that it belongs to there.
CREATE TABLE broadcast.template_states (
    tenant_id uuid        NOT NULL,
    name      text        NOT NULL,
    language  text        NOT NULL,
    sender_id uuid        NOT NULL,
    state     text        NOT NULL,
    reason    text        NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, name, language, sender_id)
);
SELECT plaza.tenant_table('broadcast.template_states');
