"""Which models answer now, and how they follow the registry."""
