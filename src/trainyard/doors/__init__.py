"""Bytes to model and back, one package per protocol; siblings never import each other."""
