"""What is made of the tree for others: wheels, the installation tree, packages, the archive, the bill of materials."""
