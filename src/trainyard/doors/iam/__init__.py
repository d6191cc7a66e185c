"""IAM, as far as training clients go: which roles there are, and what they may do."""
