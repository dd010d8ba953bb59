"""What made a vector, and how what the model says of a picture becomes the vector that is searched."""
