"""Detection: rules from a file, held against messages as they are stored; what they find is an alert."""
