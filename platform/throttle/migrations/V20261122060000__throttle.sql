-- How often something was done lately: run in every schema of a service that throttles, found by search_path.
--
-- UNLOGGED: after a crash of the server it is empty, which forgives everybody once. No row names anybody: keys are digests.

CREATE UNLOGGED TABLE throttle (
    key          bytea PRIMARY KEY CHECK (octet_length(key) = 32),
    -- GCRA's theoretical arrival time; of a ladder, when the next try may be made.
    tat          timestamptz NOT NULL,
    -- How far `tat` may lie ahead; of a ladder, how long it is remembered.
    period       interval NOT NULL,
    -- Of a ladder: tries that were not forgiven.
    failures     integer NOT NULL DEFAULT 0,
    -- From then on the row says nothing.
    forgotten_at timestamptz NOT NULL
) WITH (fillfactor = 70);

SELECT plaza.global_table(format('%I.throttle', current_schema())::regclass);
