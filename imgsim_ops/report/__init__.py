"""Duplicates and leaks as one HTML file to look through and decide in."""

from imgsim_ops.report.html import Report, write_groups, write_leaks

__all__ = ["Report", "write_groups", "write_leaks"]
