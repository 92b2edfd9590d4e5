"""Associations, one file each, named as the class model names them."""
