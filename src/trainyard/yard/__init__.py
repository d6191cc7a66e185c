"""Our own training service: engine, scheduler, preflight. Knows adapters by their ports alone."""
