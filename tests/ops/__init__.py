"""Tests of the operators. A package, so that its file names may be used elsewhere in tests/ too."""
