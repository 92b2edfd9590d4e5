"""Tests of images, templates and provisioning."""
