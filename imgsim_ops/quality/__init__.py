"""How well copies of pictures are found: photographs, copies made of them, and the measure."""
