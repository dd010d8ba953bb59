"""Backbones, their weights, and the multi-scale extractor built from them.

``extractor.build_extractor`` is the way in. ``locations`` needs no torch, so nothing is imported here.
"""
