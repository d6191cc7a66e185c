"""STS, as far as training clients go: it tells who asks, and gives out the keys of roles."""
