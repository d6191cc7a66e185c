"""CloudWatch metrics, as far as clients of training jobs read them: what the algorithm told and what its hosts used."""
