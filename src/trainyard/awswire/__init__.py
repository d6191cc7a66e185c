"""The protocols of AWS on the wire: signatures, JSON, errors. Pure: bytes and plain values in, the same out."""
