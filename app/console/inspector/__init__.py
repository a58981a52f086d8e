"""The de-identification inspector: what came, what leaves, by which rule; and the attacks on it."""
