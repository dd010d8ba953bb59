"""Telling copies from look-alikes: perceptual hashes, local features, and the measured rules."""
