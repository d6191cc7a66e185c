"""Generic parts that know no domain: identifiers, clocks, atomic files, back-off, task groups.

What lives here could be lifted into another project unchanged. Nothing here imports Trainyard, and most modules
use the standard library alone, because the supervisor of every job imports them.
"""
