"""SQLite files: durable group commit and consistent reads, for whoever brings a schema."""
