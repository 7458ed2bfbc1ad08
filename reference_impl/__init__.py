"""Reference implementations of the PS3.15 profiles, usable as a library and as a running node."""
