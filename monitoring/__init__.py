"""What the service counts and what it is compared with: metrics, reference profiles, statistics."""
