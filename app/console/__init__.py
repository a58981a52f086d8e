"""The console: pages for people, inside the service; it loads nothing from anywhere else."""
