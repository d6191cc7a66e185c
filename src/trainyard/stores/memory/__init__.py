"""Records and ledger in this process's memory: for tests, and for a control plane that keeps nothing."""
