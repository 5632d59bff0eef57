-- How many times whoever noted last in `sent_at` was granted. It cannot be told from the times: two transactions that begin in the
-- same microsecond have one `now()`.
ALTER TABLE notification.contacts ADD COLUMN granted integer NOT NULL DEFAULT 0;

-- Whether it stood when it was last taken back. A statement that reads this apart from its change sees what was before it
-- waited.
ALTER TABLE notification.opt_outs ADD COLUMN stood boolean NOT NULL DEFAULT false;
