"""Every border of the service: HTTP, de-identification, the command line for operators."""
