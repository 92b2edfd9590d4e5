"""Tests of registration in other CIM servers, with make-believe tools."""
