-- Sealing anew what older keys sealed: the system login finds values and puts others in their place, and may change nothing
-- else of a row.
SELECT plaza.system_may('notification.senders', 'SELECT');
SELECT plaza.system_may('notification.mails', 'SELECT');
GRANT UPDATE (access_token) ON notification.senders TO plaza_notification_system;
GRANT UPDATE (sealed) ON notification.mails TO plaza_notification_system;
