"""What comes in and goes out: strict parsing, and the documented shapes."""
