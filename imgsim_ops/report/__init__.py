"""Answers and results for people and other programs: HTML pages, CSV, JUnit's XML."""
