-- Has the statements that come after it in the transaction run by plans that are kept, look for rows one by one and by an
-- index, and are a second old at the most: `dispatch/plans.rs` says why. Plans belong to a session, and so does when they
-- were made.
CREATE FUNCTION notification.use_recent_plans() RETURNS void
    LANGUAGE plpgsql
AS $$
DECLARE
    kept_since timestamptz := nullif(current_setting('plaza.plans_kept_since', true), '');
BEGIN
    -- A clock that was set back must not keep them for longer.
    IF kept_since IS NULL OR abs(extract(epoch FROM clock_timestamp() - kept_since)) > 1 THEN
        DISCARD PLANS;
        PERFORM set_config('plaza.plans_kept_since', clock_timestamp()::text, false);
    END IF;
    PERFORM set_config('plan_cache_mode', 'force_generic_plan', true),
            set_config('jit', 'off', true),
            set_config('enable_seqscan', 'off', true),
            set_config('enable_bitmapscan', 'off', true),
            set_config('enable_hashjoin', 'off', true),
            set_config('enable_mergejoin', 'off', true);
END $$;
