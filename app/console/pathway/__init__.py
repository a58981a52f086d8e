"""The map of the branch points, and a page for each of them."""
