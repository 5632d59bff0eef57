-- Sealing anew what older keys sealed: the system login finds values and puts others in their place, and may change nothing
-- else of a row.
SELECT plaza.system_may('identity.signing_keys', 'SELECT');
SELECT plaza.system_may('identity.server_secrets', 'SELECT');
GRANT UPDATE (sealed) ON identity.signing_keys TO plaza_identity_system;
GRANT UPDATE (sealed) ON identity.server_secrets TO plaza_identity_system;
