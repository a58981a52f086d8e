"""A simulated year through a running service: which alert fires when something goes wrong, and how late."""
