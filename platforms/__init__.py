"""One module for each virtualization platform, and the registry that finds them."""
