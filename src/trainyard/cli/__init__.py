"""Commands, tables, progress; no rule of the domain."""
