"""Objects that the harness and a SUT hand to each other: signed by it, shown to it, stored by it and retrieved."""
