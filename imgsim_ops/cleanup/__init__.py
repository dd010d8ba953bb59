"""Carrying out what was decided about copies, and taking it back."""
