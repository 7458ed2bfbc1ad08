"""Deviations of the reference audit source and the reference audit repository; what each breaks: reference_impl.faults."""
