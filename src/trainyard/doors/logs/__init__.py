"""CloudWatch Logs, as far as clients of training jobs read it: one group, a stream for each host of each attempt."""
