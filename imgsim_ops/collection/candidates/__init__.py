"""Which pairs of pictures may be copies, and what their pixels say of each."""
