"""One use case a file; every way in calls the same function."""
