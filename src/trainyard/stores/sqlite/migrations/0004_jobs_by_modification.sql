-- A search shows the jobs that moved last first.
CREATE INDEX jobs_by_modification ON jobs (account, region, modified_at, name);
