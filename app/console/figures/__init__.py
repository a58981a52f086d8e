"""What the service watches of itself: drift, and what became of what was predicted."""
