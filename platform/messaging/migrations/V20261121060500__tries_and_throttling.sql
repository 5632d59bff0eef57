-- Expand only: the program before this one must still run on it.

-- How often the transport had no room for an event: its pause grows, so that others of its tenant have their turn.
ALTER TABLE outbox ADD COLUMN throttled integer NOT NULL DEFAULT 0;

-- Where events come over a broker: how often a try of an event was begun that the broker delivered more than once. The
-- broker counts deliveries, and a message that is only held when a process ends is delivered again too.
CREATE TABLE tries (
    tenant_id uuid NOT NULL,
    consumer  text NOT NULL,
    event_id  uuid NOT NULL,
    -- How often the event had been tried when it came into the queue: with another number the row is of an earlier stay.
    before    integer NOT NULL,
    -- In this stay.
    begun     integer NOT NULL,
    noted_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, consumer, event_id)
);

CREATE INDEX tries_age ON tries (noted_at);

-- Who read a consumer's queue last, and whether that ended in order: then nothing that comes again was tried before.
CREATE TABLE readings (
    consumer text PRIMARY KEY,
    reader   uuid NOT NULL,
    ended    boolean NOT NULL
);

SELECT plaza.tenant_table(format('%I.tries', current_schema())::regclass);
SELECT plaza.system_may(format('%I.tries', current_schema())::regclass, 'SELECT, DELETE');
SELECT plaza.system_may(format('%I.readings', current_schema())::regclass, 'SELECT, INSERT, UPDATE');
