"""The longer commands of `risk-train`, a file each, and what all of them share."""
