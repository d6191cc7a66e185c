"""A thin Kubernetes client: raw JSON, typed errors, informer, work queue, lease, events. It knows no kind of ours.

Objects are plain dicts as the API sends them. Nothing here makes a task or a typed model per object, so ten thousand
of them cost little.
"""
