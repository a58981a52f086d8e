"""The sub-commands of `risk-serve`, one file each."""
