"""HTTP over the home's control socket: health, metrics, drain."""
