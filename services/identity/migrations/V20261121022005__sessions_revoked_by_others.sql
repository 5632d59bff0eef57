-- A session can be ended by somebody else than its holder. Not validated: the rows that are there obey the narrower rule
-- that this one replaces, so nothing has to be read while the tables are locked.
ALTER TABLE identity.sessions
    DROP CONSTRAINT sessions_revoked_because_check,
    ADD CONSTRAINT sessions_revoked_because_check
        CHECK (revoked_because IN ('logout', 'refresh_reused', 'revoked')) NOT VALID;
ALTER TABLE identity.platform_sessions
    DROP CONSTRAINT platform_sessions_revoked_because_check,
    ADD CONSTRAINT platform_sessions_revoked_because_check
        CHECK (revoked_because IN ('logout', 'refresh_reused', 'revoked')) NOT VALID;
