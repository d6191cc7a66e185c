-- The jobs of one status, the newest first: what is asked for most, and has few of the rarest where there are many jobs.
CREATE INDEX jobs_by_status_and_creation ON jobs (account, region, status, created_at, name);
