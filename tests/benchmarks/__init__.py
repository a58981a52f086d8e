"""Speed and size against named baselines; never part of the tests, started by `make bench`."""
