-- How many times whoever noted last in `sent_at` was granted. It cannot be told from the times: two transactions that begin in the
-- same microsecond have one `now()`.
ALTER TABLE notification.contacts ADD COLUMN granted integer NOT NULL DEFAULT 0;
