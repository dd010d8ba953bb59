"""Comparing models and methods: a product of its own beside finding copies."""
