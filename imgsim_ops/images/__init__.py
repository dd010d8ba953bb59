"""Files to pixels: which files are meant, what is in them, and the reason why not."""
