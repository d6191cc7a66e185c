"""ECR, as far as training clients go: the token that they log in to a registry with."""
