"""Deviations of the reference source and repository of audit messages; what each breaks: `reference_impl.faults`."""
