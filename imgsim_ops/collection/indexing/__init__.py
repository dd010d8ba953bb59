"""Bringing a collection up to date with files and folders."""
