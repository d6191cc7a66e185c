"""S3 over a store of buckets: what boto3, the AWS CLI and other S3 clients speak. It knows nothing of files or jobs."""
