"""The mapping engine: XML read into objects and edited in place, by one declaration per property."""
