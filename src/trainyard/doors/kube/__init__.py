"""A small Kubernetes API server over ports.resources.ResourceStore: kubectl and every client library, no cluster.

It knows kinds, not jobs: built-in kinds from a table, all others from stored CustomResourceDefinitions.
"""
