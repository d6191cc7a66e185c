"""Settings to concrete classes: the only place that names adapters, and the helper processes' entry points."""
