"""The wire of our own JSON API, shared by its door and its client: methods, codecs, errors."""
