"""The embedded store: buckets in a folder of the home. Names and facts in one SQLite file, large bytes in files."""
