"""Records and ledger in memory, for tests; passes the same conformance suite."""
