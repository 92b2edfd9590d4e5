"""What the services of a host have in common."""
