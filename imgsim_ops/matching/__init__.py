"""Telling copies from look-alikes by looking at the pictures themselves again."""
