"""Admission: is this request one that the service would take? Every problem at once, in the service's own words.

Two steps over the raw request: each member by itself against the model's constraints (``members``), then the rules
between members (``rules``) on whatever part is sound. Nothing is defaulted and nothing is written into the request.
"""

from __future__ import annotations

from trainyard.lifecycle.admission.admit import Admission, admit, objections

__all__ = ["Admission", "admit", "objections"]
