-- Expand only: the program before this one must still run on it.
--
-- Where events come over a broker: what waits in a consumer's retry queues, in its order. A key's first row is the event
-- whose turn it is; whatever comes while there is another one goes behind it. Rows are removed in the transaction of the
-- effect, or when the event becomes a dead letter.

CREATE TABLE waiting (
    tenant_id       uuid NOT NULL,
    consumer        text NOT NULL,
    event_id        uuid NOT NULL,
    key             text NOT NULL,
    place           bigint GENERATED ALWAYS AS IDENTITY,
    -- How often it was delivered and failed; 0 for what waits behind another one only.
    attempts        integer NOT NULL,
    -- Which retry queue it is in, counted from 1, and when that gives it back.
    level           integer NOT NULL,
    due_at          timestamptz NOT NULL,
    -- Which event it went behind, in which state of that, and how often since that one was due.
    behind          uuid,
    behind_attempts integer,
    rounds          integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, consumer, event_id)
);

CREATE INDEX waiting_order ON waiting (tenant_id, consumer, key, place);
CREATE INDEX waiting_age ON waiting (due_at);

SELECT plaza.tenant_table(format('%I.waiting', current_schema())::regclass);
SELECT plaza.system_may(format('%I.waiting', current_schema())::regclass, 'SELECT, DELETE');

-- Claiming and relaying take tenants in turn: the first rows of each, found without walking through the others'.
-- Facts of the platform stand for a tenant of their own.
CREATE INDEX deliveries_turns
    ON deliveries (consumer, coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid), id);
CREATE INDEX outbox_turns
    ON outbox (coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'::uuid), id) WHERE parked_at IS NULL;
-- The order over all tenants is the primary key's; rows that are parked are few.
DROP INDEX outbox_waiting;
