"""What every page stands in: the frame around it, its words, its numbers, and who may see it."""
