"""How pictures are varied: policies, what they come to for each picture, and how it is done."""
