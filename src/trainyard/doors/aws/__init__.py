"""The front of all AWS doors: one listener, each call handed to the door of its service."""
