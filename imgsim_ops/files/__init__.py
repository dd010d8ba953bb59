"""Files whatever is in them: their names, opening, hashing and writing them, and the reasons why one cannot be read."""
