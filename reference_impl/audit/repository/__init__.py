"""The audit repository: receives, examines, stores and shows the messages of all nodes (PS3.15 A.6, A.7)."""
