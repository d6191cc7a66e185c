"""Objects by URI: Amazon S3 and compatible endpoints, folders, the embedded store."""
