"""Which pairs of pictures may be copies, and the cheapest look that settles each."""
