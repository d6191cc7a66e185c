"""Records and ledger in SQLite: WAL, synchronous=FULL, one writer thread with group commit."""
