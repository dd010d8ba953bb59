"""Models compared on pictures: what each makes of an anchor, a positive and a negative, and how long it takes."""
