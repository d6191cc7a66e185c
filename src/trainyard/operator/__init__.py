"""The TrainingJob controller: resources of a Kubernetes API reconciled with a TrainingService, as ACK's is.

``decide`` is pure: one resource, what was seen of its job and what the operator was told give the next step. The rest
carries steps out.
"""
