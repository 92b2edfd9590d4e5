"""What all front ends have in common: one table of cases, and the seams that a new one uses."""
