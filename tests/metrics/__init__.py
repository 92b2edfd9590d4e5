"""Figures of guests and hosts: sampling, the Base Metrics profile, and what is written for monitoring."""
