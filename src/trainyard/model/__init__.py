"""The nouns: frozen values that every other package speaks in. No I/O, no clock, no rule.

``spec`` and ``description`` are the SageMaker API's own words; the rest is what our engine remembers (``record``),
what a runtime reports (``observation``) and what a service answers (``job``).
"""
