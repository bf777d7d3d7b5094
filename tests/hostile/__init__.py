"""Attacks: files, archives, servers and words of people who mean harm, or had an accident."""
