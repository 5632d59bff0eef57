-- Sealing anew what older keys sealed: the system login finds values and puts others in their place, and may change nothing
-- else of a row.
SELECT plaza.system_may('tenancy.secrets', 'SELECT');
GRANT UPDATE (sealed) ON tenancy.secrets TO plaza_tenancy_system;
