"""The larger sub-commands of `risk-monitor`, one file each."""
