"""The page for who connects a record system: what is offered, first calls, examples."""
