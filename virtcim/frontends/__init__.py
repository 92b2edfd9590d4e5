"""The ways in, one folder each: decode requests to values, encode results to bytes; and what they share."""
