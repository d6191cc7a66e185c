"""STS, as far as training clients go: it tells who asks."""
