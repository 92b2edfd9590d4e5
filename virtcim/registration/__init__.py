"""Which provider serves which class in which namespace."""
