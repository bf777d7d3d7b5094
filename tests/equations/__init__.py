"""Tests to read beside the papers: one file for each method, and for what the methods stand on."""
