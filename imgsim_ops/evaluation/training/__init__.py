"""Training encoders on the classes of a data set that may be seen."""
