"""Tests of indications."""
